/** Signs people in and out: with a password, at a provider, or with a bearer token; and shows who is signed in. */
import { ApiError, command, forgetToken, hasToken, read, setToken } from './api.js';
import { personText, signInText } from './format.js';
import { setText } from './table.js';

const byId = (id) => document.getElementById(id);

/** The caller, as the daemon knows it; null before it was asked, and after signing out. */
let caller = null;

export function currentCaller() {
  return caller;
}

/** True while the sign-in form is shown. */
export function isAsking() {
  return !byId('sign-in').hidden;
}

/** Asks once who the caller is, and shows it. */
export async function recognize() {
  caller ??= await read('/v1/me');
  setText(byId('person'), personText(caller));
  document.body.classList.toggle('reader', caller.role === 'viewer');
  byId('sign-out').hidden = !hasToken() && caller.issuer === null;
}

/** Shows the form with the ways that this daemon offers. `why`: a reason, if there is one. */
export async function askToSignIn(why) {
  forgetToken();
  caller = null;
  setText(byId('person'), '');
  byId('sign-out').hidden = true;
  byId('board').hidden = true;
  setText(byId('sign-in-error'), why || signInText(takeReason()));
  if (isAsking()) return;
  byId('sign-in').hidden = false;
  // While the daemon starts it does not say; a token works then, too.
  const ways = await read('/v1/sign-in').catch(() => ({ password: false, oidc: null, token: true }));
  byId('password-form').hidden = !ways.password;
  byId('provider').hidden = ways.oidc === null;
  if (ways.oidc !== null) byId('provider-link').href = ways.oidc;
  byId('token-form').hidden = !ways.token;
  // A token is for machines where people can sign in.
  byId('token-form').open = !ways.password && ways.oidc === null;
  const first = ways.password ? 'name' : ways.oidc !== null ? 'provider-link' : 'token';
  byId(first).focus();
}

/** Returns the reason with which the provider's way back ended, and removes it from the address. */
function takeReason() {
  const [, code = ''] = /^#sign-in=([\w-]+)$/.exec(location.hash) ?? [];
  if (code !== '') history.replaceState(null, '', location.pathname);
  return code;
}

/** Connects the forms. `onEntry` is called when somebody has signed in, `onLeave` when somebody has signed out. */
export function connectForms(onEntry, onLeave) {
  byId('password-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    setText(byId('sign-in-error'), '');
    byId('password-submit').disabled = true;
    try {
      await command('/v1/sign-in', { name: byId('name').value.trim(), password: byId('password').value });
      entered(onEntry);
    } catch (error) {
      setText(byId('sign-in-error'), error instanceof ApiError ? error.message : 'No response from prefixd');
    } finally {
      byId('password').value = '';
      byId('password-submit').disabled = false;
    }
  });

  byId('token-entry').addEventListener('submit', (event) => {
    event.preventDefault();
    setToken(byId('token').value.trim());
    byId('token').value = '';
    entered(onEntry);
  });

  byId('sign-out').addEventListener('click', async () => {
    // A session that has ended already needs no sign-out.
    if (!hasToken()) await command('/v1/sign-out').catch(() => undefined);
    onLeave();
  });
}

function entered(onEntry) {
  byId('sign-in').hidden = true;
  setText(byId('sign-in-error'), '');
  onEntry();
}
