/** Comparing what rules match. */
import { rangesCover } from './ports.ts';
import type { Match, Range } from './types.ts';

/** Canonical text of a match: equal exactly when two matches mean one FlowSpec rule. */
export type MatchKey = string;

/** The key of a match in normal form; an absent list and an empty one are the same. */
export function matchKey(match: Match): MatchKey {
  const flags =
    (match.tcpFlags ?? 0) === 0 && (match.tcpFlagsClear ?? 0) === 0
      ? ''
      : `${match.tcpFlags ?? 0}/${match.tcpFlagsClear ?? 0}`;
  const prefixes = `${match.dstPrefix}|${match.srcPrefix ?? ''}`;
  const ports = `${rangesText(match.dstPorts)}|${rangesText(match.srcPorts)}`;
  const lengths = match.packetLengths === undefined ? '' : rangesText(match.packetLengths);
  return `${prefixes}|${match.protocol ?? ''}|${ports}|${lengths}|${flags}|${match.fragments === true ? 'f' : ''}`;
}

/** True when two matches differ in nothing but their destination ports. */
export function sameButDstPorts(a: Match, b: Match): boolean {
  return (
    a.dstPrefix === b.dstPrefix &&
    a.protocol === b.protocol &&
    (a.srcPrefix ?? '') === (b.srcPrefix ?? '') &&
    (a.tcpFlags ?? 0) === (b.tcpFlags ?? 0) &&
    (a.tcpFlagsClear ?? 0) === (b.tcpFlagsClear ?? 0) &&
    (a.fragments ?? false) === (b.fragments ?? false) &&
    rangesText(a.srcPorts) === rangesText(b.srcPorts) &&
    rangesText(a.packetLengths ?? []) === rangesText(b.packetLengths ?? [])
  );
}

/** True when every packet that `inner` matches is matched by `outer`, as far as destination ports tell. */
export function dstPortsCover(outer: Match, inner: Match): boolean {
  return rangesCover(outer.dstPorts, inner.dstPorts);
}

function rangesText(ranges: readonly Range[]): string {
  let text = '';
  for (const [from, to] of ranges) {
    if (text !== '') text += ',';
    text += from === to ? from : `${from}-${to}`;
  }
  return text;
}
