/** Maps detectors' names to vectors. */
import { canonicalVector, vectorToken } from '../core/policy/vectors.ts';

/** `detectors.*.vector_map`: vectors by the names a detector gives them, by source. */
export type VectorMaps = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Longer texts are not names. */
const MAX_NAME_LENGTH = 256;

/**
 * Returns a name's vector: from the vector map of one of `sources` (as written, then in normal form), else from the
 * built-in aliases. Any other name stays as it is, in normal form. Undefined when nothing is left of it.
 */
export function readVector(
  name: string,
  sources: readonly string[] = [],
  maps: VectorMaps = new Map(),
): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const token = vectorToken(name);
  for (const source of sources) {
    const map = maps.get(source);
    if (map === undefined || map.size === 0) continue;
    const mapped = map.get(name) ?? map.get(name.trim()) ?? byToken(map, token);
    if (mapped !== undefined) return canonicalVector(mapped);
  }
  return token === undefined ? undefined : canonicalVector(token);
}

function byToken(map: ReadonlyMap<string, string>, token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  for (const [name, vector] of map) if (vectorToken(name) === token) return vector;
  return undefined;
}
