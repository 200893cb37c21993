/** Checks `http.auth.sign_in`, and scopes that have no effect. Parts of the settings may be missing. */
import type { Findings, Path } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import { isLoopback, parseListen } from '../schema/fields.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

const AT: Path = ['http', 'auth', 'sign_in'];

export function signInChecks({ http }: DeepPartial<Settings>, found: Findings): void {
  const { auth, tls, listen } = http ?? {};
  if (auth?.scopes !== undefined && auth.mode !== undefined && auth.mode !== 'mtls') {
    const fix = 'set mode: mtls, or use tokens[].scope';
    found.warning(['http', 'auth', 'scopes'], `scopes have no effect with mode ${auth.mode}`, fix);
  }
  const section = auth?.sign_in;
  if (section === undefined) return;
  if (auth?.mode === 'none') {
    found.warning(AT, 'sign_in has no effect with mode none, which lets everybody in', 'set mode: bearer');
  }
  if (section.users_file === undefined && section.oidc === undefined) {
    found.problem(AT, 'nobody can sign in', 'add users_file or oidc');
  }
  const { idle_seconds: idle, absolute_seconds: absolute, public_url: url } = section;
  if (idle !== undefined && absolute !== undefined && idle > absolute) {
    found.problem(
      [...AT, 'idle_seconds'],
      `${idle} is above absolute_seconds, which is ${absolute}`,
      `write at most ${absolute}`,
    );
  }
  if (section.oidc !== undefined && url === undefined) {
    const fix = 'add public_url: the origin under which browsers reach this API';
    found.problem([...AT, 'oidc'], 'oidc needs public_url, to which the provider sends people back', fix);
  }
  plainAddress([...AT, 'public_url'], url, found);
  plainAddress([...AT, 'oidc', 'issuer'], section.oidc?.issuer, found);
  const host = listen === undefined ? undefined : parseListen(listen)?.host;
  if (host !== undefined && !isLoopback(host) && tls === undefined && !url?.startsWith('https:')) {
    const message = `people cannot sign in at ${listen} over plain HTTP`;
    found.warning(AT, message, 'set http.tls, or public_url to the https: origin of a TLS proxy');
  }
}

/** Refuses plain HTTP except on this machine: anybody on the way could sign in as somebody else. */
function plainAddress(at: Path, value: string | undefined, { problem }: Findings): void {
  if (value === undefined || !value.startsWith('http:')) return;
  const host = new URL(value).hostname.replace(/^\[(.*)\]$/, '$1');
  if (!isLoopback(host)) problem(at, `${value} is not encrypted`, 'use https:');
}
