/**
 * What may take effect before it is in the journal, because it takes rules away and adds none: rules that an operator
 * withdraws must leave the routers however the disk is. What else such a command leads to waits until it is recorded.
 */
import type { Command } from './commands.ts';
import type { Fact } from './facts.ts';

/** A command that takes away. */
export type TakeAway =
  | Extract<Command, { type: 'withdraw' | 'withdraw-all' | 'safelist-add' }>
  | (Extract<Command, { type: 'pause' | 'resume' }> & { readonly type: 'pause' })
  | (Extract<Command, { type: 'peer-disable' | 'peer-enable' }> & { readonly type: 'peer-disable' });

export function isTakeAway(command: Command): command is TakeAway {
  switch (command.type) {
    case 'withdraw':
    case 'withdraw-all':
    case 'safelist-add':
    case 'pause':
    case 'peer-disable':
      return true;
    default:
      return false;
  }
}

/**
 * The facts that take away. Left out is above all what creates: hosts that get rules of their own when a safelist entry
 * ends the rule for their prefix.
 */
export function whatTakesAway(facts: readonly Fact[]): readonly Fact[] {
  return facts.filter(({ type }) => {
    switch (type) {
      case 'mitigation.ending':
      case 'mitigation.withdrawn':
      case 'mitigation.expired':
      case 'safelist.added':
      case 'control.paused':
      case 'peer.disabled':
        return true;
      default:
        return false;
    }
  });
}

/** The command as it is decided once more, to be recorded: its effect was confirmed when it took place. */
export function confirmed(command: TakeAway): TakeAway {
  return command.type === 'safelist-add' ? { ...command, ask: false } : command;
}

/**
 * True when the command is about whatever there is, so that it also concerns what a write under way is about to add,
 * although it finds nothing yet.
 */
export function concernsWhatComes({ type }: TakeAway): boolean {
  return type === 'withdraw-all';
}
