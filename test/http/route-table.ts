/**
 * Every route of the API: who may use it, and how it treats callers with a scope. A test walks the OpenAPI document, so a
 * route that is not here fails the build.
 */
import { MITIGATION_ID } from './support.ts';

export interface RouteRow {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  /** The path in the OpenAPI document. */
  readonly path: string;
  /** Roles, or `public`. */
  readonly roles: string;
  /**
   * `own`: answers with what is in the caller's scope, and takes commands about that only; `all`: about this POP as a
   * whole, so refused (403) to who is limited to customers or to other POPs, and as a command to who is limited to actions;
   * `none`: refused (403) to everybody who is limited in any way; `same`: answers everybody alike.
   */
  readonly scope: 'own' | 'all' | 'none' | 'same';
  readonly payload?: object;
}

const COMMAND = { operator_id: 'kim', reason: 'false positive' };
const BAN = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };
const MITIGATE = {
  ...COMMAND,
  victim_ip: '203.0.113.10',
  action_type: 'police',
  rate_bps: 1_000_000,
  ttl_seconds: 300,
};

const REPORT = 'detector operator admin';
const READ = 'viewer operator admin';
const OPERATE = 'operator admin';
const ANY = 'detector viewer operator admin';

/** A webhook that no token opens: only a signature does. */
export const SIGNED_ROUTE = '/v1/inventory/hook';

export const ROUTES: readonly RouteRow[] = [
  ['POST', '/v1/events', REPORT, 'own', BAN],
  ['POST', '/v1/events/batch', REPORT, 'own', [BAN]],
  ['POST', '/v1/signals/fastnetmon', REPORT, 'own', {}],
  ['POST', '/v1/signals/alertmanager', REPORT, 'own', {}],
  ['POST', '/v1/signals/webhook/{name}', REPORT, 'own', {}],
  ['GET', '/v1/events', READ, 'own'],
  ['GET', '/v1/mitigations', READ, 'own'],
  ['GET', '/v1/mitigations/{id}', READ, 'own'],
  ['POST', '/v1/mitigations', OPERATE, 'own', MITIGATE],
  ['POST', '/v1/mitigations/{id}/withdraw', OPERATE, 'own', COMMAND],
  ['POST', '/v1/control/pause', OPERATE, 'none', COMMAND],
  ['POST', '/v1/control/resume', OPERATE, 'none', COMMAND],
  ['POST', '/v1/control/withdraw-all', OPERATE, 'none', COMMAND],
  ['GET', '/v1/safelist', READ, 'own'],
  ['POST', '/v1/safelist', OPERATE, 'none', {}],
  ['DELETE', '/v1/safelist/{prefix}', OPERATE, 'none'],
  ['GET', '/v1/peers', READ, 'all'],
  ['POST', '/v1/peers/{name}/enable', OPERATE, 'all', {}],
  ['POST', '/v1/peers/{name}/disable', OPERATE, 'all', {}],
  ['POST', '/v1/peers/{name}/clear', OPERATE, 'all', {}],
  ['GET', '/v1/rib', READ, 'all'],
  ['GET', '/v1/health', 'public', 'same'],
  ['GET', '/v1/health/detail', READ, 'own'],
  ['GET', '/v1/scrubbers', READ, 'all'],
  ['POST', '/v1/scrubbers/{name}/signal', REPORT, 'none', { state: 'clean' }],
  ['GET', '/v1/pops', READ, 'none'],
  ['GET', '/v1/alerts', READ, 'none'],
  ['POST', '/v1/alerts/{name}/test', OPERATE, 'none', {}],
  ['GET', '/v1/inventory', READ, 'none'],
  ['GET', '/v1/inventory/diff', READ, 'none'],
  ['POST', '/v1/inventory/sync', OPERATE, 'none', {}],
  ['POST', '/v1/inventory/accept', OPERATE, 'none', {}],
  ['POST', SIGNED_ROUTE, 'public', 'same', {}],
  ['GET', '/v1/stats', READ, 'own'],
  ['GET', '/v1/audit', READ, 'own'],
  ['GET', '/v1/config/settings', READ, 'all'],
  ['GET', '/v1/config/inventory', READ, 'own'],
  ['GET', '/v1/config/playbooks', READ, 'all'],
  ['POST', '/v1/config/reload', 'admin', 'none', {}],
  ['GET', '/v1/feed', READ, 'own'],
  ['GET', '/v1/me', ANY, 'same'],
  ['POST', '/v1/sign-out', ANY, 'same'],
  ['GET', '/v1/sign-in', 'public', 'same'],
  ['POST', '/v1/sign-in', 'public', 'same', {}],
  ['GET', '/v1/sign-in/oidc', 'public', 'same'],
  ['GET', '/v1/sign-in/oidc/callback', 'public', 'same'],
  ['POST', '/v1/sign-in/oidc/token', 'public', 'same', {}],
  ['GET', '/v1/openapi.json', ANY, 'same'],
  ['GET', '/metrics', ANY, 'all'],
].map(rowOf);

function rowOf(row: readonly unknown[]): RouteRow {
  const [method, path, roles, scope, payload] = row as [
    RouteRow['method'],
    string,
    string,
    RouteRow['scope'],
    object?,
  ];
  const url = path
    .replace('{id}', MITIGATION_ID)
    .replace('{name}', path.includes('scrubbers') ? 'fra' : path.includes('webhook') ? 'kentik' : 'edge1')
    .replace('{prefix}', '192.0.2.1%2F32');
  return { method, url, path, roles, scope, ...(payload === undefined ? {} : { payload }) };
}
