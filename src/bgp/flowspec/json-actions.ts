/** Actions as JSON (docs/notation.md), for `prefixd flowspec` and whoever else speaks in lines of JSON. */
import { fromHex, toHex } from '../../net/bytes.ts';
import { formatAddress, parseAddress } from '../../net/prefix.ts';
import { formatRouteTarget, parseRouteTarget } from './administrators.ts';
import { flagAt, type JsonObject, JsonShapeError, numberAt, objectAt, stringAt } from './json-fields.ts';
import type { Action } from './types.ts';

/** An action as plain JSON. */
export function actionToJson(action: Action): JsonObject {
  switch (action.type) {
    case 'traffic-rate':
      return { type: action.type, rate_bps: action.bitsPerSecond, asn: action.asn };
    case 'traffic-rate-packets':
      return { type: action.type, rate_pps: action.packetsPerSecond, asn: action.asn };
    case 'traffic-action':
    case 'marking':
      return { ...action };
    case 'redirect-vrf':
      return { type: action.type, target: formatRouteTarget(action.target) };
    case 'redirect-vrf-ipv6':
      return { type: action.type, address: formatAddress(action.address), value: action.value };
    case 'redirect-ip': {
      const { type, form, copy } = action;
      const where = action.address === undefined ? {} : { address: formatAddress(action.address) };
      return { type, form, ...where, copy };
    }
    case 'unknown':
      return { type: action.type, octets: toHex(action.octets) };
  }
}

/** Keys beside `type`, by type. */
const KEYS: Readonly<Record<Action['type'], readonly string[]>> = {
  'traffic-rate': ['rate_bps', 'asn'],
  'traffic-rate-packets': ['rate_pps', 'asn'],
  'traffic-action': ['sample', 'terminal'],
  marking: ['dscp'],
  'redirect-vrf': ['target'],
  'redirect-vrf-ipv6': ['address', 'value'],
  'redirect-ip': ['form', 'address', 'copy'],
  unknown: ['octets'],
};

/** The action that JSON stands for; JsonShapeError when it stands for none. Ranges are for `encodeActions` to check. */
export function actionFromJson(json: unknown, path: string): Action {
  const type = actionType(json, path);
  const object = objectAt(json, path, ['type', ...KEYS[type]]);
  const number = (key: string): number => numberAt(object[key], `${path}.${key}`);
  const text = (key: string): string => stringAt(object[key], `${path}.${key}`);
  const asn = (): number => numberAt(object.asn ?? 0, `${path}.asn`);
  switch (type) {
    case 'traffic-rate':
      return { type, bitsPerSecond: number('rate_bps'), asn: asn() };
    case 'traffic-rate-packets':
      return { type, packetsPerSecond: number('rate_pps'), asn: asn() };
    case 'traffic-action':
      return { type, sample: flagAt(object, 'sample', path), terminal: flagAt(object, 'terminal', path) };
    case 'marking':
      return { type, dscp: number('dscp') };
    case 'redirect-vrf': {
      const target = parseRouteTarget(text('target'));
      if (target === undefined)
        throw new JsonShapeError(`${path}.target: "65000:100" or the like is expected`);
      return { type, target };
    }
    case 'redirect-vrf-ipv6':
      return { type, address: address(object, path), value: number('value') };
    case 'redirect-ip': {
      const form = object.form ?? 'ietf';
      if (form !== 'ietf' && form !== 'draft-00') {
        throw new JsonShapeError(`${path}.form: "ietf" or "draft-00" is expected`);
      }
      // Without its next hop a redirect of draft-00 was decoded without an address.
      const where =
        form === 'draft-00' && object.address === undefined ? {} : { address: address(object, path) };
      return { type, form, ...where, copy: flagAt(object, 'copy', path) };
    }
    case 'unknown': {
      const octets = fromHex(text('octets'));
      if (octets === undefined) throw new JsonShapeError(`${path}.octets: hexadecimal digits are expected`);
      return { type, octets };
    }
  }
}

function actionType(json: unknown, path: string): Action['type'] {
  if (typeof json === 'object' && json !== null && 'type' in json) {
    for (const type of Object.keys(KEYS)) if (json.type === type) return type as Action['type'];
  }
  throw new JsonShapeError(`${path}.type: one of ${Object.keys(KEYS).join(', ')} is expected`);
}

function address(object: JsonObject, path: string): Uint8Array {
  const octets = parseAddress(stringAt(object.address, `${path}.address`));
  if (octets === undefined) throw new JsonShapeError(`${path}.address: an IPv4 or IPv6 address is expected`);
  return octets;
}
