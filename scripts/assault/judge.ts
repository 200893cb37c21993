/** Checks that the daemon knows everything it acknowledged, and that a mitigation explains each rule on the router. */
import type { LabRouter } from '../../src/lab/router.ts';
import { PATIENCE_MS, until } from '../../test/support/children.ts';
import type { Prefixd } from '../../test/support/prefixd.ts';
import type { Ledger } from './ledger.ts';

type Section = Readonly<Record<string, unknown>>;

/** More differences than this are counted, not named. */
const NAMED = 10;

/**
 * True for a mitigation that is active, or pending: its rule is announced, but the router's TCP has not acknowledged it
 * yet. One whose withdrawal is recorded and on its way to the routers is not: it is `ending`.
 */
function isInForce({ status, ending }: Section): boolean {
  return ending !== true && (status === 'active' || status === 'pending');
}

/** Rejects with everything that differs. */
export async function judge(
  prefixd: Pick<Prefixd, 'call' | 'log'>,
  router: Pick<LabRouter, 'rules'>,
  ledger: Ledger,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const faults: string[] = [];
  const mitigations = new Map<string, Section>();
  for (const one of await pages(prefixd, 'mitigations')) mitigations.set(String(one.mitigation_id), one);
  const events = new Set((await pages(prefixd, 'events')).map((one) => String(one.event_id)));
  const safelist = new Set((await list(prefixd, '/v1/safelist')).map((one) => String(one.prefix)));

  for (const [event, id] of ledger.events) {
    const mitigation = mitigations.get(id);
    if (mitigation === undefined) faults.push(`mitigation ${id} of the acknowledged event ${event} is lost`);
    else if (isInForce(mitigation) && ledger.withdrawn.has(id))
      faults.push(`the withdrawal of ${id} is lost`);
    else if (!isInForce(mitigation) && !ledger.asked.has(id)) {
      faults.push(`${id} is ${String(mitigation.status)}, and nobody asked for that`);
    }
  }
  for (const event of ledger.recent)
    if (!events.has(event)) faults.push(`the acknowledged event ${event} is lost`);
  for (const prefix of ledger.safelist)
    if (!safelist.has(prefix)) faults.push(`the safelist entry ${prefix} is lost`);
  if (faults.length === 0)
    await tables(router, mitigations, patienceMs).catch((error: Error) => faults.push(error.message));
  if (faults.length > 0) {
    const more = faults.length > NAMED ? [`... and ${faults.length - NAMED} more`] : [];
    throw new Error([...faults.slice(0, NAMED), ...more, prefixd.log().slice(-3000)].join('\n'));
  }
}

/** Waits until the router holds the rule of each active mitigation, announced by this session, and nothing else. */
async function tables(
  router: Pick<LabRouter, 'rules'>,
  mitigations: ReadonlyMap<string, Section>,
  patienceMs: number,
): Promise<void> {
  const wanted = new Map<string, string>();
  for (const [id, mitigation] of mitigations) {
    const { rules } = mitigation;
    if (!isInForce(mitigation) || !Array.isArray(rules)) continue;
    for (const { nlri_hex } of rules) wanted.set(String(nlri_hex), id);
  }
  let differs = '';
  await until(
    'the router holds the rules of the active mitigations',
    () => {
      const held = new Map(router.rules().map((rule) => [rule.nlriHex, rule]));
      const missing = [...wanted].find(([nlri]) => held.get(nlri)?.stale !== false);
      const unexplained = [...held.values()].find(({ nlriHex }) => !wanted.has(nlriHex));
      differs = [
        ...(missing === undefined ? [] : [`the rule of ${missing[1]} is missing or stale`]),
        ...(unexplained === undefined ? [] : [`no mitigation explains "${unexplained.text}"`]),
      ].join('; ');
      return differs === '';
    },
    patienceMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${differs}`);
  });
}

/** All items of a list, page by page. */
async function pages(prefixd: Pick<Prefixd, 'call'>, name: 'mitigations' | 'events'): Promise<Section[]> {
  const all: Section[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await prefixd.call('GET', `/v1/${name}?limit=1000${cursor}`);
    const items = body[name];
    if (status !== 200 || !Array.isArray(items))
      throw new Error(`/v1/${name}: ${status} ${JSON.stringify(body)}`);
    all.push(...items);
    if (typeof body.next_cursor !== 'string') return all;
    cursor = `&cursor=${encodeURIComponent(body.next_cursor)}`;
  }
}

async function list(prefixd: Pick<Prefixd, 'call'>, path: string): Promise<Section[]> {
  const { body } = await prefixd.call('GET', path);
  return Object.values(body).filter((one): one is Section => typeof one === 'object' && one !== null);
}
