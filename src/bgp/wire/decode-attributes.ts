/**
 * Decodes path attributes (RFC 4271 §4.3, §5) and handles errors as RFC 7606 requires: a malformed attribute becomes a
 * problem that the caller can act on, or a session reset if the routes cannot be identified.
 */
import { concatBytes, toHex } from '../../net/bytes.ts';
import { decodeAsPath, mergeAs4Path, readAsn, withoutConfederations } from './as-path.ts';
import {
  type AttributeSpec,
  AttributeFlag,
  attributeName,
  attributeSpec,
  FIXED_FLAGS,
} from './attribute-table.ts';
import { AttributeType, AS_TRANS } from './iana.ts';
import { decodeMpReach, decodeMpUnreach } from './multiprotocol.ts';
import { ErrorCode, NotificationError, UpdateSubcode } from './notification.ts';
import type {
  AsPathSegment,
  AttributeProblem,
  CodecContext,
  PathAttributes,
  UnknownAttribute,
} from './types.ts';

type AttributesDraft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] };
type Aggregator = NonNullable<PathAttributes['aggregator']>;

/** The decoded attributes and their problems. */
export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  readonly problems: readonly AttributeProblem[];
  /** Returns true if an attribute of the type was present, well-formed or not. */
  readonly present: (type: number) => boolean;
  /** Returns the session reset for the first treat-as-withdraw problem if no route can be withdrawn (RFC 7606 §5.2). */
  readonly reset: () => NotificationError | undefined;
}

/** Decodes the Path Attributes field of an UPDATE. Values are views. Throws error 3/x if RFC 7606 requires a reset. */
export function decodeAttributes(octets: Uint8Array, context: CodecContext): DecodedAttributes {
  const walk = new AttributeWalk(octets, context);
  walk.run();
  return walk;
}

/** One attribute as received. */
interface RawAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
  /** Type, length and value, as quoted in an error's data (RFC 4271 §6.3). */
  readonly whole: Uint8Array;
}

/** Decodes the attributes of one UPDATE in one pass. */
class AttributeWalk implements DecodedAttributes {
  readonly attributes: AttributesDraft = {};
  readonly problems: AttributeProblem[] = [];
  readonly #octets: Uint8Array;
  readonly #context: CodecContext;
  /** Bit sets of the attribute types that were seen, and seen again. */
  readonly #seen = new Uint8Array(32);
  readonly #repeated = new Uint8Array(32);
  #unknown: UnknownAttribute[] | undefined;
  #as4Path: readonly AsPathSegment[] | undefined;
  #as4Aggregator: Aggregator | undefined;
  #firstWithdraw:
    | { readonly subcode: number; readonly reason: string; readonly data: Uint8Array }
    | undefined;

  constructor(octets: Uint8Array, context: CodecContext) {
    this.#octets = octets;
    this.#context = context;
  }

  present(type: number): boolean {
    return hasBit(this.#seen, type);
  }

  reset(): NotificationError | undefined {
    const why = this.#firstWithdraw;
    return why && new NotificationError(ErrorCode.UpdateMessage, why.subcode, why.reason, why.data.slice());
  }

  run(): void {
    const octets = this.#octets;
    let at = 0;
    while (at < octets.length) {
      const flags = octets[at] as number;
      const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
      const type = octets[at + 1] ?? 0;
      const valueAt = at + (extended ? 4 : 3);
      const end = valueAt <= octets.length ? valueAt + valueLength(octets, at, extended) : valueAt;
      if (end > octets.length) {
        this.#cutOff(octets.subarray(at), type);
        break;
      }
      this.#read({ flags, type, value: octets.subarray(valueAt, end), whole: octets.subarray(at, end) });
      at = end;
    }
    this.#mergeAs4();
    if (this.#unknown !== undefined) this.attributes.unknown = this.#unknown;
  }

  /**
   * RFC 7606 §4: an attribute cut off by the Total Attribute Length, or too few octets for another one, is
   * treat-as-withdraw, unless the routes themselves are cut off (§3.j).
   */
  #cutOff(whole: Uint8Array, type: number): void {
    const reason = `${attributeName(type)}: cut off by the end of the attributes`;
    if (type === AttributeType.MpReachNlri || type === AttributeType.MpUnreachNlri) {
      throw resetError(UpdateSubcode.MalformedAttributeList, reason, whole);
    }
    this.#withdraw(type, UpdateSubcode.MalformedAttributeList, reason, whole);
  }

  #withdraw(attribute: number, subcode: number, reason: string, data: Uint8Array, spared = subcode): void {
    this.problems.push({ attribute, treatment: 'treat-as-withdraw', reason, subcode: spared });
    this.#firstWithdraw ??= { subcode, reason, data };
  }

  #discard(raw: RawAttribute, why: string): void {
    this.problems.push({
      attribute: raw.type,
      treatment: 'attribute-discard',
      reason: `${attributeName(raw.type)}: ${why}`,
    });
  }

  #withdrawFor(raw: RawAttribute, subcode: number, why: string): void {
    this.#withdraw(raw.type, subcode, `${attributeName(raw.type)}: ${why}`, raw.whole);
  }

  #read(raw: RawAttribute): void {
    if (hasBit(this.#seen, raw.type)) {
      this.#again(raw);
      return;
    }
    setBit(this.#seen, raw.type);
    const spec = attributeSpec(raw.type);
    if (spec === undefined) this.#keep(raw);
    else if (this.#isForeign(raw)) this.#discard(raw, 'not allowed on this kind of session');
    else if ((raw.flags & FIXED_FLAGS) !== spec.flags) this.#flagsConflict(raw, spec);
    else this.#value(raw);
  }

  /** Handles a repeated attribute (RFC 7606 §3.g). */
  #again(raw: RawAttribute): void {
    if (raw.type === AttributeType.MpReachNlri || raw.type === AttributeType.MpUnreachNlri) {
      throw resetError(
        UpdateSubcode.MalformedAttributeList,
        `${attributeName(raw.type)} appears more than once`,
        new Uint8Array(0),
      );
    }
    if (hasBit(this.#repeated, raw.type)) return;
    setBit(this.#repeated, raw.type);
    this.#discard(raw, 'appears more than once; only the first is used');
  }

  /** RFC 4271 §6.3: keeps an unknown attribute; an unknown well-known one is an error. */
  #keep(raw: RawAttribute): void {
    if ((raw.flags & AttributeFlag.Optional) === 0) {
      throw resetError(
        UpdateSubcode.UnrecognizedWellKnownAttribute,
        `${attributeName(raw.type)} is marked as well-known, but is not`,
        raw.whole,
      );
    }
    this.#unknown ??= [];
    this.#unknown.push({ flags: raw.flags, type: raw.type, value: raw.value });
  }

  /** Returns true for attributes that this kind of session does not carry; they are discarded unread. */
  #isForeign(raw: RawAttribute): boolean {
    switch (raw.type) {
      case AttributeType.LocalPref: // RFC 7606 §7.5
      case AttributeType.OriginatorId: // RFC 7606 §7.9
      case AttributeType.ClusterList: // RFC 7606 §7.10
        return !this.#context.internal;
      case AttributeType.As4Path: // RFC 6793 §4.1
      case AttributeType.As4Aggregator:
        return this.#context.fourOctetAs;
      default:
        return false;
    }
  }

  #flagsConflict(raw: RawAttribute, spec: AttributeSpec): void {
    const why = `flags 0x${toHex(Uint8Array.of(raw.flags))} conflict with 0x${toHex(Uint8Array.of(spec.flags))}`;
    switch (raw.type) {
      case AttributeType.MpReachNlri: // RFC 7606 §5.3
      case AttributeType.MpUnreachNlri:
        throw resetError(UpdateSubcode.AttributeFlagsError, `${spec.name}: ${why}`, raw.whole);
      case AttributeType.AtomicAggregate: // RFC 7606 §3.f
      case AttributeType.Aggregator:
        this.#discard(raw, why);
        break;
      default: // RFC 7606 §3.c
        this.#withdrawFor(raw, UpdateSubcode.AttributeFlagsError, why);
    }
  }

  #value(raw: RawAttribute): void {
    const { value } = raw;
    const to = this.attributes;
    switch (raw.type) {
      case AttributeType.Origin:
        this.#origin(raw);
        break;
      case AttributeType.AsPath:
        this.#asPath(raw);
        break;
      case AttributeType.NextHop: // RFC 7606 §7.3
        if (this.#hasLength(raw, 4)) to.nextHop = value;
        break;
      case AttributeType.MultiExitDisc: // RFC 7606 §7.4
        if (this.#hasLength(raw, 4)) to.multiExitDisc = readAsn(value, 0, 4);
        break;
      case AttributeType.LocalPref: // RFC 7606 §7.5
        if (this.#hasLength(raw, 4)) to.localPref = readAsn(value, 0, 4);
        break;
      case AttributeType.AtomicAggregate: // RFC 7606 §7.6
        if (value.length === 0) to.atomicAggregate = true;
        else this.#discard(raw, `${value.length} octets, not 0`);
        break;
      case AttributeType.Aggregator: {
        const aggregator = this.#aggregator(raw, this.#context.fourOctetAs ? 4 : 2);
        if (aggregator !== undefined) to.aggregator = aggregator;
        break;
      }
      case AttributeType.Communities: // RFC 7606 §7.8
        if (this.#isListOf(raw, 4)) to.communities = value;
        break;
      case AttributeType.OriginatorId: // RFC 7606 §7.9
        if (this.#hasLength(raw, 4)) to.originatorId = value;
        break;
      case AttributeType.ClusterList: // RFC 7606 §7.10
        if (this.#isListOf(raw, 4)) to.clusterList = value;
        break;
      case AttributeType.MpReachNlri:
        to.mpReach = routes(raw, decodeMpReach(raw.value, this.#context));
        break;
      case AttributeType.MpUnreachNlri:
        to.mpUnreach = routes(raw, decodeMpUnreach(raw.value, this.#context));
        break;
      case AttributeType.ExtendedCommunities: // RFC 7606 §7.14
        if (this.#isListOf(raw, 8)) to.extendedCommunities = value;
        break;
      case AttributeType.Ipv6ExtendedCommunities: // RFC 7606 §7.15
        if (this.#isListOf(raw, 20)) to.ipv6ExtendedCommunities = value;
        break;
      case AttributeType.LargeCommunities: // RFC 8092 §6
        if (this.#isListOf(raw, 12)) to.largeCommunities = withoutRepeats(value, 12);
        break;
      case AttributeType.As4Path:
        this.#readAs4Path(raw);
        break;
      case AttributeType.As4Aggregator:
        this.#as4Aggregator = this.#aggregator(raw, 4);
    }
  }

  #hasLength(raw: RawAttribute, length: number): boolean {
    if (raw.value.length === length) return true;
    this.#withdrawFor(raw, UpdateSubcode.AttributeLengthError, `${raw.value.length} octets, not ${length}`);
    return false;
  }

  /** Checks a list of at least one element of `width` octets. */
  #isListOf(raw: RawAttribute, width: number): boolean {
    if (raw.value.length > 0 && raw.value.length % width === 0) return true;
    // RFC 4271 §6.3 defines an Attribute Length Error if the type implies one length. A list does not: here an optional
    // attribute's value is wrong.
    this.#withdraw(
      raw.type,
      UpdateSubcode.AttributeLengthError,
      `${attributeName(raw.type)}: ${raw.value.length} octets are not a list of ${width}-octet elements`,
      raw.whole,
      UpdateSubcode.OptionalAttributeError,
    );
    return false;
  }

  /** Decodes ORIGIN (RFC 7606 §7.1). */
  #origin(raw: RawAttribute): void {
    if (!this.#hasLength(raw, 1)) return;
    const origin = raw.value[0] as number;
    if (origin <= 2) this.attributes.origin = origin;
    else this.#withdrawFor(raw, UpdateSubcode.InvalidOriginAttribute, `value ${origin} is not defined`);
  }

  /** Decodes AS_PATH (RFC 7606 §7.2). */
  #asPath(raw: RawAttribute): void {
    const path = decodeAsPath(raw.value, this.#context.fourOctetAs ? 4 : 2);
    if (typeof path === 'string') this.#withdrawFor(raw, UpdateSubcode.MalformedAsPath, path);
    else if (!this.#mayConfederate() && withoutConfederations(path) !== path) {
      // RFC 5065 §5: "It is an error for a BGP speaker to receive an UPDATE message with an AS_PATH attribute that contains
      // AS_CONFED_SEQUENCE or AS_CONFED_SET segments from a neighbor that is not located in the same confederation."
      const why = 'a confederation segment from outside the confederation';
      this.#withdrawFor(raw, UpdateSubcode.MalformedAsPath, why);
    } else this.attributes.asPath = path;
  }

  #mayConfederate(): boolean {
    return this.#context.internal || this.#context.confederation === true;
  }

  /** Decodes AGGREGATOR (RFC 7606 §7.7) and AS4_AGGREGATOR (RFC 6793 §6): an AS number and an IPv4 address. */
  #aggregator(raw: RawAttribute, width: 2 | 4): Aggregator | undefined {
    if (raw.value.length !== width + 4) {
      this.#discard(raw, `${raw.value.length} octets, not ${width + 4}`);
      return undefined;
    }
    const asn = readAsn(raw.value, 0, width);
    // RFC 7607 §2
    if (asn === 0) {
      this.#discard(raw, 'AS number 0');
      return undefined;
    }
    return { asn, address: raw.value.subarray(width) };
  }

  /** RFC 6793 §6: discards a malformed AS4_PATH, and its confederation segments. */
  #readAs4Path(raw: RawAttribute): void {
    const path = raw.value.length === 0 ? 'no AS number' : decodeAsPath(raw.value, 4);
    if (typeof path === 'string') this.#discard(raw, path);
    else this.#as4Path = withoutConfederations(path);
  }

  /** RFC 6793 §4.2.3: merges the AS4 attributes of a 2-octet peer. */
  #mergeAs4(): void {
    const { attributes } = this;
    const as4Aggregator = this.#as4Aggregator;
    if (attributes.aggregator !== undefined && as4Aggregator !== undefined) {
      // The route was aggregated again by a speaker that does not know AS4 attributes: they are stale.
      if (attributes.aggregator.asn !== AS_TRANS) return;
      attributes.aggregator = as4Aggregator;
    }
    if (attributes.asPath !== undefined && this.#as4Path !== undefined) {
      attributes.asPath = mergeAs4Path(attributes.asPath, this.#as4Path);
    }
  }
}

/** Reads the length field of the attribute at `at`, whose header must be within bounds. */
function valueLength(octets: Uint8Array, at: number, extended: boolean): number {
  const first = octets[at + 2] as number;
  return extended ? (first << 8) | (octets[at + 3] as number) : first;
}

/**
 * Returns an attribute's routes, or throws the session reset if they are incorrect: routes that cannot be identified
 * cannot be withdrawn (RFC 7606 §3.j), and the error is an Optional Attribute Error (RFC 4760 §7).
 */
function routes<T extends object>(raw: RawAttribute, decoded: T | string): T {
  if (typeof decoded !== 'string') return decoded;
  throw resetError(UpdateSubcode.OptionalAttributeError, `${attributeName(raw.type)}: ${decoded}`, raw.whole);
}

function resetError(subcode: number, reason: string, data: Uint8Array): NotificationError {
  return new NotificationError(ErrorCode.UpdateMessage, subcode, reason, data.slice());
}

function hasBit(bits: Uint8Array, at: number): boolean {
  return ((bits[at >>> 3] as number) & (1 << (at & 7))) !== 0;
}

function setBit(bits: Uint8Array, at: number): void {
  bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
}

/** RFC 8092 §3: removes repeated values. Returns the same octets if there are none. */
function withoutRepeats(octets: Uint8Array, width: number): Uint8Array {
  if (octets.length === width) return octets;
  const known = new Set<string>();
  const kept: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += width) {
    const element = octets.subarray(at, at + width);
    const key = toHex(element);
    if (known.has(key)) continue;
    known.add(key);
    kept.push(element);
  }
  if (kept.length * width === octets.length) return octets;

  return concatBytes(kept);
}
