/** Implements `withdraw`: one mitigation, those of a victim or customer, or all; here or at several POPs. */
import { countWords } from '../net/text.ts';
import { type Fields, list, number, record, records, text } from './answer.ts';
import { type ApiClient, withClient } from './client.ts';
import { confirm, confirmOrYes } from './confirm.ts';
import { popsBody, reportDone, requireConfirmed } from './confirmations.ts';
import { CliError, type CommandContext, Exit, operatorOf, UsageError } from './command-context.ts';
import { fitted } from './drawing.ts';
import { LIVE } from './mitigation-text.ts';

export interface WithdrawOptions {
  readonly reason: string;
  readonly all?: true;
  readonly victim?: string;
  readonly customer?: string;
  readonly operator?: string;
  readonly yes?: true;
  readonly pop?: string;
}

/** Counts the arguments that choose what to withdraw; exactly one is valid. */
export function targetsSaid(
  id: string | undefined,
  { all, victim, customer }: Readonly<Record<string, unknown>> | WithdrawOptions,
): number {
  return [id, all, victim, customer].filter((one) => one !== undefined).length;
}

/** Withdraws what the arguments choose, at this POP or at those of `--pop`. */
export async function withdraw(
  context: CommandContext,
  id: string | undefined,
  options: WithdrawOptions,
): Promise<void> {
  if (targetsSaid(id, options) !== 1)
    throw new UsageError('use only one of <id>, --victim, --customer, --all');
  const body = {
    operator_id: operatorOf(context, options.operator),
    reason: options.reason,
    ...popsBody(options.pop),
  };
  const answers = await withClient(context, async (client) => {
    if (id !== undefined) return [await withdrawOne(context, client, id, body)];
    if (options.all !== true) return await withdrawSome(context, client, options, body);
    if (options.yes !== true) await confirmAll(context, client);
    const answer = record(await client.post('/v1/control/withdraw-all', body));
    const count = countWords(list(answer.affected).length, 'mitigation is', 'mitigations are');
    reportDone(context, answer, `${count} being withdrawn.\n`);
    return [answer];
  });
  requireConfirmed(answers);
}

/** Withdraws the mitigations of a victim or a customer; asks for confirmation if there is more than one. */
async function withdrawSome(
  context: CommandContext,
  client: ApiClient,
  { victim, customer, yes, pop }: WithdrawOptions,
  body: unknown,
): Promise<readonly Fields[]> {
  const query = new URLSearchParams({ status: LIVE, limit: '1000' });
  if (victim !== undefined) query.set('victim_ip', victim);
  if (customer !== undefined) query.set('customer_id', customer);
  if (pop !== undefined) query.set('pop', 'all');
  const { mitigations, elsewhere } = record(await client.get(`/v1/mitigations?${query.toString()}`));
  const found = [...records(mitigations), ...records(elsewhere)];
  const ids = found.filter((one) => one.ending !== true).map((one) => text(one.mitigation_id));
  if (ids.length === 0) {
    throw new CliError(Exit.NotFound, `no active mitigations of ${victim ?? `customer ${customer}`}`);
  }
  if (ids.length > 1 && yes !== true) {
    await confirmOrYes(context, `this withdraws ${countWords(ids.length, 'mitigation')}`);
  }
  const answers: Fields[] = [];
  for (const id of ids) answers.push(await withdrawOne(context, client, id, body));
  return answers;
}

async function withdrawOne(
  context: CommandContext,
  client: ApiClient,
  id: string,
  body: unknown,
): Promise<Fields> {
  const answer = record(await client.post(`/v1/mitigations/${encodeURIComponent(id)}/withdraw`, body));
  const { mitigation_id: withdrawn, ending, origin, confirmations } = answer;
  const state = ending === true ? 'is being withdrawn' : 'was withdrawn';
  // Its own POP and the others keep it.
  const elsewhere =
    typeof origin === 'string' && confirmations === undefined
      ? ` here; POP ${text(origin)} decided it, and --pop all withdraws it everywhere`
      : '';
  const said =
    confirmations === undefined || ending !== undefined ? `${state}${elsewhere}` : 'is withdrawn as follows';
  reportDone(context, answer, `${fitted(context, `${text(withdrawn)} ${said}.`)}\n`);
  return answer;
}

/** Asks for confirmation at a terminal; without one throws CliError 5, because scripts must use `--yes`. */
async function confirmAll(context: CommandContext, client: ApiClient): Promise<void> {
  if (!context.io.inputIsTerminal) {
    throw new CliError(
      Exit.InvalidInput,
      'nothing was changed: this withdraws every mitigation; to confirm, repeat the command with --yes',
    );
  }
  const live = number(record(record(await client.get('/v1/health/detail')).mitigations).live);
  await confirm(
    context.io,
    live === 1 ? 'Withdraw the only mitigation?' : `Withdraw all ${live} mitigations?`,
  );
}
