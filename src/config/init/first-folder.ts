/** Creates a first configuration folder: commented files from a few answers. Pure. */
import { formatAddress, knownPrefix } from '../../net/prefix.ts';
import { endpointText } from '../../net/text.ts';
import { assemble } from '../assemble.ts';
import { parseListen } from '../schema/fields.ts';
import { DEFAULT_TOKEN_ENV } from '../schema/auth-schema.ts';
import { DEFAULT_LISTEN } from '../schema/prefixd-schema.ts';
import type { ConfigProblem, ConfigResult } from '../types.ts';
import { parseYaml } from '../yaml/yaml.ts';
import { fitPlaybooks, type OmittedStep, type ShippedPlaybooks } from './fit-playbooks.ts';
import { type Peering, type Platform, ROUTER_KINDS } from './router-snippets.ts';

/** The file with the secrets; the systemd unit in packaging/ reads it under this name. */
export const SECRETS_FILE = 'environment';

/** The answers, already checked by the configuration schemas. */
export interface FirstAnswers {
  readonly localAsn: number;
  readonly routerId: string;
  readonly neighbor: {
    readonly name: string;
    readonly address: string;
    readonly port: number;
    readonly localAddress: string;
    readonly peerAsn: number;
    readonly platform: Platform;
  };
  readonly customer: { readonly id: string; readonly prefixes: readonly string[] };
  /** Address and port of the API. */
  readonly listen: string;
  /** The journal's folder, absolute or relative to the configuration folder. */
  readonly storagePath: string;
}

/** Limit of rules for the first neighbor, here and in the router's own configuration. */
const MAX_RULES = 1000;

/** Returns the session that the answers describe. */
export function peeringOf({ localAsn, routerId, neighbor }: FirstAnswers): Peering {
  const { address, port, localAddress, peerAsn } = neighbor;
  // If the router's address cannot be an identifier, any identifier except ours works.
  const spare = routerId === '192.0.2.1' ? '192.0.2.2' : '192.0.2.1';
  return {
    prefixd: { address: localAddress, asn: localAsn },
    router: { address, asn: peerAsn, port, routerId: address.includes(':') ? spare : address },
    maxRules: MAX_RULES,
  };
}

/** Returns an address in the customer's first prefix, for examples and a first test. */
export function exampleAddress({ customer }: FirstAnswers): string {
  const prefix = knownPrefix(customer.prefixes[0] ?? '');
  const octets = Uint8Array.from(prefix.address);
  const last = octets.length - 1;
  if (prefix.length < octets.length * 8) octets[last] = (octets[last] ?? 0) | 1;
  return formatAddress(octets);
}

/** Returns the text of prefixd.yaml. */
export function firstSettings(answers: FirstAnswers): string {
  const { localAsn, routerId, neighbor, listen, storagePath } = answers;
  const port = neighbor.port === 179 ? '' : `\n      port: ${neighbor.port}`;
  return `# Settings of this daemon. docs/configuration.md lists every key with its default and range.
# After a change, "prefixd check" finds mistakes and "prefixd reload" applies it.

pop: default                        # name of this site
mode: enforced                      # dry-run: decide and record, announce nothing

http:
  # The API and the dashboard. Beyond loopback, set http.tls as well.
  listen: "${listen}"
  auth:
    mode: bearer
    bearer_token_env: ${DEFAULT_TOKEN_ENV}     # the token is in the file "${SECRETS_FILE}"
    # Give each detector its own token, which may only report attacks:
    # tokens: [{ name: fastnetmon, role: detector, token_env: PREFIXD_FASTNETMON_TOKEN }]

bgp:
  local_asn: ${localAsn}
  router_id: "${routerId}"
  neighbors:
    - name: ${yamlText(neighbor.name)}
      address: "${neighbor.address}"${port}
      local_address: "${neighbor.localAddress}"     # the neighbor address in the router's configuration
      peer_asn: ${neighbor.peerAsn}
      dialect: ${ROUTER_KINDS[neighbor.platform].dialect}               # selects supported matches and actions
      families: [ipv4-flowspec, ipv6-flowspec]     # the same on both sides
      max_rules: ${MAX_RULES}               # the router's own limit must not be lower
      # md5_password_env: EDGE_MD5    # name of the variable that contains the TCP MD5 key
      # graceful_restart: { restart_time_seconds: 60 }     # the router keeps the rules while prefixd restarts

# The values below are the defaults.
guardrails:
  require_inventory: true           # only addresses in inventory.yaml are ever mitigated
  protected: { prefixes: [] }       # infrastructure that no rule may touch, such as "192.0.2.0/24"
quotas:
  max_active_per_customer: 5
  max_active_global: 500
safelist:
  prefixes: []                      # never mitigated, such as resolvers and monitoring

storage:
  path: ${yamlText(storagePath)}
`;
}

/** Returns the text of inventory.yaml. */
export function firstInventory(answers: FirstAnswers): string {
  const { id, prefixes } = answers.customer;
  return `# Customers and their addresses. Reports about any other address are refused.
customers:
  - customer_id: ${yamlText(id)}
    prefixes: [${prefixes.map(yamlText).join(', ')}]
    # policy_profile: strict        # mitigate sooner and longer; relaxed: later and shorter
    # Services whose ports must never be dropped:
    # services:
    #   - service_id: dns
    #     assets: [{ ip: "${exampleAddress(answers)}" }]
    #     allowed_ports: { udp: [53], tcp: [53] }
`;
}

/** Returns the text of the file with the secrets, for systemd's EnvironmentFile and for a shell. */
export function firstSecrets({ listen }: FirstAnswers, token: string): string {
  const api = listen === DEFAULT_LISTEN ? '' : `PREFIXD_API=${apiAt(listen)}\n`;
  return `# Secrets of prefixd, one NAME=value per line. Only the owner may read this file: the token gives admin access.\n${DEFAULT_TOKEN_ENV}=${token}\n${api}`;
}

/** Returns the URL at which this machine reaches the API. */
function apiAt(listen: string): string {
  const { host, port } = parseListen(listen) ?? { host: '127.0.0.1', port: 8080 };
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${endpointText(host, port)}`;
}

/** Formats a double-quoted scalar; JSON strings are valid YAML. */
function yamlText(text: string): string {
  return JSON.stringify(text);
}

// Puts the configuration together and checks it as `prefixd check` does, before any file is written.

export interface FirstConfiguration {
  /** Texts by file name within the folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly playbookCount: number;
  readonly omitted: readonly OmittedStep[];
  /** Empty if `prefixd check` will accept the folder. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Creates the folder's files. `shipped` are the bundled playbooks by file name; `token` is the admin's. Problems and
 * warnings contain file names without a folder.
 */
export function firstConfiguration(
  answers: FirstAnswers,
  shipped: ShippedPlaybooks,
  token: string,
): FirstConfiguration {
  const settings = firstSettings(answers);
  const inventory = firstInventory(answers);
  const assembled = (playbooks: ShippedPlaybooks): ConfigResult =>
    assemble(
      {
        settings: parseYaml('prefixd.yaml', settings),
        inventory: parseYaml('inventory.yaml', inventory),
        playbooks: [...playbooks].map(([name, text]) => parseYaml(`playbooks/${name}`, text)),
        folder: '/',
        directory: null,
        files: [],
      },
      { [DEFAULT_TOKEN_ENV]: token },
    );
  const { files: playbooks, omitted } = fitPlaybooks(shipped, (files) => {
    const result = assembled(files);
    return result.ok ? result.config.policy : undefined;
  });
  const result = assembled(playbooks);
  return {
    files: new Map([
      ['prefixd.yaml', settings],
      ['inventory.yaml', inventory],
      ...[...playbooks].map(([name, text]) => [`playbooks/${name}`, text] as const),
      [SECRETS_FILE, firstSecrets(answers, token)],
    ]),
    playbookCount: result.ok ? result.config.policy.playbooks.names.length : 0,
    omitted,
    problems: result.ok ? [] : result.problems,
    warnings: result.warnings,
  };
}
