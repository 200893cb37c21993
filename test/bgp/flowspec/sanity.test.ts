import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findImpossible } from '../../../src/bgp/flowspec/unmeant-rules.ts';
import { processorTime } from '../../support/processor-time.ts';
import { rule } from './octets.ts';

const IMPOSSIBLE: readonly (readonly [text: string, why: RegExp])[] = [
  ['match length >=99971&<=99985', /length: 99971 is above 65535/],
  ['match length <65536', /65536 is above 65535/],
  ['match dst-port 65536', /above 65535/],
  ['match src-port 18446744073709551615', /above 65535/],
  ['match proto 256', /above 255/],
  ['match ipv6 flow-label 1048576', /above 1048575/],
  ['match icmp-type 256', /above 255/],
  ['match port >200&<100', /port: an alternative cannot match any packet/],
  ['match port 53,>200&<100', /an alternative cannot match any packet/],
  ['match port 53&54', /an alternative/],
  ['match port >52&<54&!=53', /an alternative/],
  ['match port <0', /an alternative/],
  ['match port >65535', /an alternative/],
  ['match port false:53', /an alternative/],
  ['match tcp-flags =syn&!syn', /tcp-flags: an alternative/],
  ['match tcp-flags 0x0', /tcp-flags: an alternative/],
  ['match tcp-flags =0x1002', /tcp-flags: an alternative/],
  ['match fragment =is-fragment&!is-fragment', /fragment: an alternative/],
  ['match proto icmp dst-port 53', /dst-port cannot match any packet: the rule's proto/],
  ['match proto udp tcp-flags syn', /tcp-flags cannot match any packet: the rule's proto/],
  ['match proto udp icmp-type 8', /icmp-type cannot match any packet/],
  ['match proto !=tcp&!=udp dst-port 53', /dst-port cannot match any packet/],
  ['match dst 2001:db8::1 proto icmp icmp-type 128', /icmp-type cannot match any packet/],
  ['match dst 192.0.2.1 proto icmpv6 icmp-type 128', /icmp-type cannot match any packet/],
  ['match dst-port 53 icmp-type 8', /icmp-type cannot match any packet together/],
  ['match icmp-code 0 tcp-flags syn', /tcp-flags cannot match any packet together/],
];

const POSSIBLE: readonly string[] = [
  'match dst 203.0.113.10/32',
  'match dst 203.0.113.10/32 proto udp dst-port <53,>53&<123,>123',
  'match length <=65535',
  'match port true:53',
  'match port !=53&!=80',
  'match dscp 63',
  'match proto !=tcp dst-port 53',
  'match proto tcp,udp tcp-flags =syn&!ack dst-port 80',
  'match tcp-flags !0x0',
  'match tcp-flags =0x0',
  'match fragment is-fragment,first-fragment',
  'match dst 2001:db8::1 proto icmpv6 icmp-type 128',
  'match dst-port 80 tcp-flags syn',
];

describe('rules that can match no packet, or name what no packet has', () => {
  for (const [text, why] of IMPOSSIBLE) {
    it(text, () => assert.match(findImpossible(rule(text)) ?? 'nothing found', why));
  }

  it('a packet length above the bound of the network', () => {
    const spec = rule('match length >1400&<9001');
    assert.equal(findImpossible(spec), undefined);
    assert.equal(findImpossible(spec, { maxPacketLength: 9216 }), undefined);
    assert.match(findImpossible(spec, { maxPacketLength: 1500 }) ?? '', /9001 is above 1500/);
  });
});

describe('nothing is wrong with', () => {
  for (const text of POSSIBLE) it(text, () => assert.equal(findImpossible(rule(text)), undefined));
});

describe('a list of operators as long as an NLRI can hold', () => {
  it('is judged in bounded time', () => {
    const masks = Array.from({ length: 1300 }, (_, i) => `!=0x${(0xf00 + (i % 256)).toString(16)}`).join('&');
    const spec = rule(`match tcp-flags ${masks}`);
    const took = processorTime(() => findImpossible(spec));
    assert.ok(took < 2_000, `${took} ms`);
  });
});
