/** The JSON shape of a mitigation's action, and what each scrubber and blackholing is used for. */
import { z } from 'zod';
import { ACTION_TYPES, type MitigationAction, scrubberOf } from '../core/action.ts';
import type { StateView } from '../core/state/state.ts';

/** The fields of an action, which stand beside other fields. */
export const ActionSchema = z.object({
  action_type: z.enum(ACTION_TYPES),
  rate_bps: z.number().nullable(),
  scrubber: z.string().nullable().describe('Scrubber that a redirect or a diversion sends the traffic to'),
  redirect_vrf: z
    .string()
    .nullable()
    .describe('Route target of the VRF that a redirect names instead of a scrubber'),
  redirect_ip: z.string().nullable().describe('Address that a redirect names instead of a scrubber'),
  redirect_copy: z
    .boolean()
    .describe('The redirect sends a copy; the packets themselves go on to the victim'),
});

export function actionView(action: MitigationAction): z.output<typeof ActionSchema> {
  const target = action.type === 'redirect' ? action.target : undefined;
  return {
    action_type: action.type,
    rate_bps: action.rateBps,
    scrubber: scrubberOf(action) ?? null,
    redirect_vrf: target !== undefined && 'vrf' in target ? target.vrf : null,
    redirect_ip: target !== undefined && 'ip' in target ? target.ip : null,
    redirect_copy: action.type === 'redirect' && action.copy === true,
  };
}

/** Numbers of active mitigations that send traffic elsewhere. */
export interface TargetUse {
  /** By scrubber. */
  readonly redirected: ReadonlyMap<string, number>;
  readonly diverted: ReadonlyMap<string, number>;
  readonly blackholed: number;
}

/** Counts the active mitigations that use a scrubber or are blackholed. */
export function targetUse(state: Pick<StateView, 'live' | 'mitigations'>): TargetUse {
  const [redirected, diverted] = [new Map<string, number>(), new Map<string, number>()];
  let blackholed = 0;
  for (const id of state.live) {
    const action = state.mitigations.get(id)?.action;
    if (action === undefined) continue;
    if (action.type === 'blackhole') blackholed++;
    const scrubber = scrubberOf(action);
    if (scrubber === undefined) continue;
    const counts = action.type === 'divert' ? diverted : redirected;
    counts.set(scrubber, (counts.get(scrubber) ?? 0) + 1);
  }
  return { redirected, diverted, blackholed };
}
