/** Octets written as hexadecimal with spaces, and small helpers for results. */
import assert from 'node:assert/strict';
import type { DecodedFlowSpec, FlowSpecResult } from '../../../src/bgp/flowspec/nlri.ts';
import { parseRule } from '../../../src/bgp/flowspec/notation/parse.ts';
import type { FlowSpec } from '../../../src/bgp/flowspec/types.ts';
import { fromHex } from '../../../src/net/bytes.ts';

/** The octets of a hexadecimal text; spaces are for the eye. */
export function octets(hex: string): Uint8Array {
  const bytes = fromHex(hex.replaceAll(/\s/g, ''));
  assert.ok(bytes, `not hexadecimal: ${hex}`);
  return bytes;
}

/** The rule of a result that must be one. */
export function decoded(result: FlowSpecResult): DecodedFlowSpec {
  if (!result.ok) assert.fail(result.error.reason);
  return result.value;
}

/** The rule that a text in operator notation stands for, which must be one. */
export function rule(text: string): FlowSpec {
  const parsed = parseRule(text);
  if (!parsed.ok) assert.fail(parsed.error.message);
  return parsed.value.spec;
}
