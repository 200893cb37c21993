/** The caller of a request, as far as it is known who that is. */
import type { CallerScope } from '../access/caller-scope.ts';
import type { Role } from '../access/role.ts';
import type { HoldMode } from '../core/types.ts';
import type { Subject } from '../people/sign-in-settings.ts';

/** An authenticated caller. */
export interface Caller {
  /** The token's name, the certificate's CN, the person's name, or `anonymous`. */
  readonly name: string;
  readonly role: Role;
  /** Absent: not limited. */
  readonly scope?: CallerScope;
  /** The hold mode of the attacks that it reports, if its token sets one. */
  readonly hold?: HoldMode;
  /** A person who has signed in; absent: a machine. */
  readonly person?: Subject;
}
