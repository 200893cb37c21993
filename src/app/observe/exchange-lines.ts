/** Makes health lines about the exchange with other POPs. */
import { STALE_MS } from '../../exchange/pop-overview.ts';
import type { ExchangeView } from '../../exchange/types.ts';
import type { HealthLine } from './health-lines.ts';

/** A connection that is lost for less than this is not worth a line (ms). */
const TOLERATED_MS = 3_000;

/**
 * Returns lines for a database that cannot be used, for a name that two daemons have, and for accepted POPs that are not
 * heard of. `now`: milliseconds since the epoch.
 */
export function exchangeLines(exchange: ExchangeView, now: number): readonly HealthLine[] {
  const { state, since, problem = '' } = exchange.condition;
  if (state === 'rival') return [{ code: 'exchange', key: state, text: problem, since }];
  if (state === 'connecting') {
    if (now - since < TOLERATED_MS) return [];
    const text = `nothing is exchanged with other POPs: ${problem}; this POP decides on its own and catches up when the database returns`;
    return [{ code: 'exchange', key: state, text, since }];
  }
  const lines: HealthLine[] = [];
  const failure = exchange.importFailure;
  if (failure !== undefined) {
    const text = `mitigations of other POPs cannot be recorded and are tried again: ${failure.message}`;
    lines.push({ code: 'exchange', key: 'import', text });
  }
  for (const { name, isSelf, isAccepted, lagMs } of exchange.pops()) {
    if (isSelf || !isAccepted) continue;
    if (lagMs === undefined) {
      // It may be heard of a moment after the start.
      if (now - since < STALE_MS) continue;
      const text = `POP ${name} is in exchange.accept, and nothing was heard of it since this daemon started`;
      lines.push({ code: 'exchange_pop', key: name, text });
    } else if (lagMs > STALE_MS) {
      const text = `POP ${name} is silent: what it decides does not reach this POP, and its mitigations here end with their TTL`;
      lines.push({ code: 'exchange_pop', key: name, text, since: Math.round(now - lagMs) });
    }
  }
  return lines;
}
