/** An exchange with two other POPs, one of which is not accepted. */
import { standingIntent } from '../../src/core/own-intents.ts';
import type { Confirmation, ExchangeView, ForeignIntent, KnownPop } from '../../src/exchange/types.ts';
import { mitigation, NOON } from './support.ts';

/** A mitigation that only POP fra1 has. */
export const OTHER = '00000000-0000-4000-8000-000000000002';

const FRA: KnownPop = {
  name: 'fra1',
  isSelf: false,
  isAccepted: true,
  lagMs: 1_234,
  heartbeat: {
    name: 'fra1',
    epoch: 5,
    n: 9,
    version: '0.2.0',
    policyHash: 'cafe',
    sessionsUp: 1,
    sessionsTotal: 2,
    active: 3,
    ageMs: 0,
  },
  imported: 2,
  unreadable: 0,
};

const ELSEWHERE: ForeignIntent = {
  pop: 'fra1',
  intent: standingIntent(mitigation({ id: OTHER, pop: 'fra1', victim: '203.0.113.77' }), NOON).intent,
  endsAt: NOON + 60_000,
  isForHere: false,
};

/** An exchange with one other POP, which answers as the test says. */
export class FakeExchange implements ExchangeView {
  readonly asked: unknown[] = [];
  answers: readonly Confirmation[] = [{ pop: 'fra1', state: 'done', detail: '' }];
  readonly condition = { state: 'connected', since: NOON, problem: undefined } as const;
  readonly importFailure = undefined;
  #n = 0;

  pops(): readonly KnownPop[] {
    const self = { ...FRA, name: 'iad1', isSelf: true, lagMs: 0, imported: 0 };
    return [self, FRA, { ...FRA, name: 'ams1', isAccepted: false, lagMs: 9_000 }];
  }
  elsewhere(): readonly ForeignIntent[] {
    return [ELSEWHERE];
  }
  openRequests(): ReturnType<ExchangeView['openRequests']> {
    const request = { type: 'pause', operator: 'kim', reason: 'test' } as const;
    const silent: Confirmation = { pop: 'ams1', state: 'unconfirmed', detail: 'it has not answered yet' };
    return [{ id: this.nextRequest(), request, ageMs: 5_000, confirmations: [silent] }];
  }
  nextRequest() {
    return { pop: 'iad1', epoch: 1, n: ++this.#n };
  }
  ask(...request: Parameters<ExchangeView['ask']>): Promise<readonly Confirmation[]> {
    this.asked.push(request);
    return Promise.resolve(this.answers);
  }
}
