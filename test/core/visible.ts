/** Returns everything visible of a state as plain data, for comparing. */
import { holdKey, holdsOf } from '../../src/core/state/holds.ts';
import { matchKey, type StateHandle } from '../../src/core/state/state.ts';

const HOUR = 3_600_000;

export function visible(state: StateHandle): unknown {
  const mitigations = [...state.mitigations.values()];
  const pick = (of: (key: string) => ReadonlySet<string>, keys: readonly string[]): unknown =>
    [...new Set(keys)].sort().map((key) => [key, [...of(key)].sort()]);
  const customers = [...new Set(mitigations.map(({ customerId }) => customerId ?? ''))].sort();
  return {
    seq: state.seq,
    lastAt: state.lastAt,
    paused: state.paused,
    disabledPeers: [...state.disabledPeers],
    mitigations,
    live: [...state.live],
    events: [...state.events],
    safelist: [...state.safelist],
    earliestDue: state.earliestDue,
    byMatch: pick(
      (key) => state.withMatch(key),
      mitigations.map(({ match }) => matchKey(match)),
    ),
    byVictim: pick(
      (key) => state.liveOfVictim(key),
      mitigations.map(({ victim }) => victim),
    ),
    byHold: pick(
      (key) => state.heldBy(key),
      mitigations.flatMap((mitigation) => holdsOf(mitigation).map(holdKey)),
    ),
    prefixes: [...state.prefixLengths(4), ...state.prefixLengths(6)].sort(),
    attacked: pick(
      (key) => new Set([...state.reportedIn(key, 'udp_flood')].map(({ id }) => id)),
      [...state.events.values()].map(({ block = '' }) => block),
    ),
    due: [...state.dueBy(state.lastAt + HOUR)].sort(),
    counts: [false, true].map((dryRun) => [
      state.activeTotal(dryRun),
      state.activeOfPop('iad1', dryRun),
      customers.map((id) => state.activeOfCustomer(id, dryRun)),
      state.createdInMinute(state.lastAt, dryRun),
      [...state.activeImported(dryRun)].sort(),
    ]),
    snapshot: state.snapshot(),
  };
}
