/**
 * FlowSpec, mutated: NLRI, actions and operator notation end in a value whatever arrives, and what was read is written
 * back canonically. An input for NLRI is one octet that picks the family and the octets of an NLRI field.
 */
import { decodeActions, encodeActions, encodeReceivedActions } from '../src/bgp/flowspec/actions.ts';
import { FlowSpecError } from '../src/bgp/flowspec/errors.ts';
import { decodeLine, encodeLine } from '../src/tools/rule-lines.ts';
import { decodeFlowSpecList, encodeFlowSpec } from '../src/bgp/flowspec/nlri.ts';
import { compareFlowSpecs, sentFlowSpec } from '../src/bgp/flowspec/precedence.ts';
import { parseRule } from '../src/bgp/flowspec/notation/parse.ts';
import { findImpossible } from '../src/bgp/flowspec/unmeant-rules.ts';
import { formatActions, formatRule } from '../src/bgp/flowspec/notation/format.ts';
import { decodeMessage } from '../src/bgp/wire/message.ts';
import { NotificationError } from '../src/bgp/wire/notification.ts';
import type { MpReach, MpUnreach, PathAttributes } from '../src/bgp/wire/types.ts';
import { concatBytes, fromHex, sameBytes, toHex } from '../src/net/bytes.ts';
import { captureMessages, type FuzzTarget } from './fuzzing.ts';

/** The families, in the order in which the first octet of an input picks them. */
const FAMILIES = [
  [1, 133],
  [2, 133],
  [1, 134],
  [2, 134],
] as const;

/** Fields by hand: every type, both families, both lengths, and forms that are only tolerated. */
const FIELDS: readonly (readonly [family: number, hex: string])[] = [
  [0, '0b0118c00002038106048119 120118c000020218cb0071040389458b911f90 090120c00002010c8005'],
  [1, '12012000 20010db8 026840123456789a 038106 0f01200020010db80268412468acf134 060da100000007'],
  [0, '180120cb00710a 038111 0435 0235 447b 827b 0908120912c202 0a9105dc 0b812e'],
  [2, '0e0000ffff00010000 0120cb00710a'],
  [3, '110002fa56ea000064 0180 00 20010db8'],
  [0, `f0f105${'1103e8'.repeat(79)}9103e8 0a0ab1ffffffffffffffff`],
  [0, 'f003038106 0405910035 03038906 0303c106 0307c108 0308c100'],
];

const COMMUNITIES = [
  '8006000049989680 8007000000000003 800900000000002e',
  '8008fde800000064 8108c00002010064 8208fa56ea000064 010cc00002010001 0800000000000001 800c0000447a0000',
  '000c20010db80000000000000000000000010001 000d20010db80000000000000000000000010064',
];

const TEXTS = [
  'match dst 203.0.113.10/32 proto udp dst-port <53,>53&<123,>123 then rate-limit 10mbps',
  'match rd 65000:1 dst 2001:db8::10/128 offset 8 tcp-flags =syn&!ack,fin|rst flow-label 7 then discard sample',
  'match ipv6 fragment isf length 100-200 dscp ef,!=af11 then redirect vrf [2001:db8::1]:5 mark cs1 terminal',
  'match port true:5,false:6 then redirect next-hop 192.0.2.1 copy rate-limit 1.5e3pps asn 7',
];

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''));
  if (bytes === undefined) throw new Error(`a seed is not hexadecimal: ${text}`);
  return bytes;
}

/** Returns the path attributes of the captures' UPDATEs. */
function captured(): readonly PathAttributes[] {
  const context = { fourOctetAs: true, extendedMessages: true, internal: false };
  return captureMessages().flatMap((octets) => {
    try {
      const message = decodeMessage(octets, context);
      return message.type === 'update' ? [message.attributes] : [];
    } catch (error) {
      if (error instanceof NotificationError) return [];
      throw error;
    }
  });
}

function field(reach: MpReach | MpUnreach | undefined): readonly Uint8Array[] {
  if (reach === undefined) return [];
  const picked = FAMILIES.findIndex(([afi, safi]) => afi === reach.family.afi && safi === reach.family.safi);
  return picked < 0 ? [] : [concatBytes([Uint8Array.of(picked), reach.nlri])];
}

function require(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function runField(input: Uint8Array): void {
  const [afi, safi] = FAMILIES[(input[0] ?? 0) % FAMILIES.length] ?? FAMILIES[0];
  const octets = input.subarray(1);
  const list = decodeFlowSpecList(octets, afi, safi);
  const whole = concatBytes(list.map((entry) => entry.octets));
  require(sameBytes(whole, octets), 'a list does not cover its field');
  // Enough to reach everything; a field of a thousand rules is only slow.
  for (const { octets: each, result } of list.slice(0, 8)) {
    if (!result.ok) continue;
    const { spec, canonical, tolerated } = result.value;
    require(sameBytes(encodeFlowSpec(spec), canonical), 'canonical octets differ');
    require((tolerated.length === 0) === sameBytes(canonical, each), 'tolerated and octets disagree');
    const sent = sentFlowSpec(each, spec);
    require(compareFlowSpecs(sent, sent) === 0, 'a rule does not equal itself');
    findImpossible(spec);
    const parsed = parseRule(formatRule(spec, []));
    require(parsed.ok && sameBytes(encodeFlowSpec(parsed.value.spec), canonical), 'the text is another rule');
    const line = decodeLine({ afi, safi, nlri: toHex(each) });
    const again = encodeLine({ afi, safi, rd: line.rd, components: line.components });
    require(again.nlri === toHex(canonical), 'the JSON is another rule');
    require(encodeLine(line).nlri === toHex(canonical), 'the line of decode is another rule');
  }
}

function runActions(input: Uint8Array): void {
  for (const parts of [{ extendedCommunities: input, nextHop: input }, { ipv6ExtendedCommunities: input }]) {
    const result = decodeActions(parts);
    if (!result.ok) continue;
    formatActions(result.value.actions);
    const octets = encodeReceivedActions(result.value.actions);
    const again = decodeActions(octets);
    require(again.ok &&
      formatActions(again.value.actions) === formatActions(result.value.actions), 'other actions');
    try {
      encodeActions(result.value.actions);
    } catch (error) {
      // Actions that contradict each other can be read, and must not be written.
      if (!(error instanceof FlowSpecError)) throw error;
    }
  }
}

function runText(input: Uint8Array): void {
  const text = String.fromCharCode(...input.subarray(0, 4096));
  const parsed = parseRule(text);
  if (!parsed.ok) {
    const { offset, length } = parsed.error;
    require(offset >= 0 && offset + length <= text.length, 'an error points outside of the text');
    return;
  }
  const again = parseRule(formatRule(parsed.value.spec, parsed.value.actions));
  const same = again.ok && sameBytes(encodeFlowSpec(again.value.spec), encodeFlowSpec(parsed.value.spec));
  require(same, 'what was read is written as another rule');
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'flowspec-nlri',
    seeds: () => [
      ...FIELDS.map(([family, text]) => concatBytes([Uint8Array.of(family), hex(text)])),
      ...captured().flatMap(({ mpReach, mpUnreach }) => [...field(mpReach), ...field(mpUnreach)]),
    ],
    run: runField,
  },
  {
    name: 'flowspec-actions',
    seeds: () => [
      ...COMMUNITIES.map(hex),
      ...captured().flatMap(({ extendedCommunities }) =>
        extendedCommunities === undefined ? [] : [extendedCommunities],
      ),
    ],
    run: runActions,
  },
  {
    name: 'flowspec-text',
    seeds: () => TEXTS.map((text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))),
    run: runText,
  },
];
