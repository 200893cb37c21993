/** The first configuration folder of a newcomer: commented files made from a few answers. Pure. */
import { formatAddress, parsePrefix } from '../../net/prefix.ts';
import { endpointText } from '../../net/text.ts';
import { assemble } from '../assemble.ts';
import { parseListen } from '../schema/fields.ts';
import { DEFAULT_LISTEN, DEFAULT_TOKEN_ENV } from '../schema/prefixd-schema.ts';
import type { ConfigProblem, ConfigResult } from '../types.ts';
import { parseYaml } from '../yaml/yaml.ts';
import { fitPlaybooks, type LeftOut, type PlaybookFiles } from './fit-playbooks.ts';
import { type Peering, type Platform, ROUTER_KINDS } from './router-snippets.ts';

/** Where the API listens unless the newcomer says otherwise. */

/** The file with the secrets; the shipped systemd unit reads it under this name. */
export const SECRETS_FILE = 'environment';

/** What a newcomer has to say. Every text has been checked by the schemas of the configuration. */
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
  /** Where the API listens. */
  readonly listen: string;
  /** Folder of the journal, absolute or relative to the configuration's. */
  readonly storagePath: string;
}

/** Rules that the first neighbor may be given, and that its own configuration allows. */
const MAX_RULES = 1000;

/** The session that the answers describe. */
export function peeringOf({ localAsn, routerId, neighbor }: FirstAnswers): Peering {
  const { address, port, localAddress, peerAsn } = neighbor;
  // Any identifier but ours will do where the router's address cannot be one.
  const spare = routerId === '192.0.2.1' ? '192.0.2.2' : '192.0.2.1';
  return {
    prefixd: { address: localAddress, asn: localAsn },
    router: { address, asn: peerAsn, port, routerId: address.includes(':') ? spare : address },
    maxRules: MAX_RULES,
  };
}

/** An address of the customer's first prefix: for examples, and for a first test. */
export function exampleAddress({ customer }: FirstAnswers): string {
  const prefix = parsePrefix(customer.prefixes[0] ?? '');
  if (typeof prefix === 'string') throw new RangeError(prefix);
  const octets = Uint8Array.from(prefix.address);
  const last = octets.length - 1;
  if (prefix.length < octets.length * 8) octets[last] = (octets[last] ?? 0) | 1;
  return formatAddress(octets);
}

/** prefixd.yaml */
export function firstSettings(answers: FirstAnswers): string {
  const { localAsn, routerId, neighbor, listen, storagePath } = answers;
  const port = neighbor.port === 179 ? '' : `\n      port: ${neighbor.port}`;
  return `# How this daemon runs. docs/configuration.md has every key, its default and its range.
# After a change: "prefixd check" finds every mistake, "prefixd reload" applies it.

pop: default                        # name of this site
mode: enforced                      # dry-run: decide and record, announce nothing

http:
  # The API and the dashboard. Beyond loopback, set http.tls as well.
  listen: "${listen}"
  auth:
    mode: bearer
    bearer_token_env: ${DEFAULT_TOKEN_ENV}     # the token is in the file "${SECRETS_FILE}"
    # A detector gets a token of its own, which may report attacks and do nothing else:
    # tokens: [{ name: fastnetmon, role: detector, token_env: PREFIXD_FASTNETMON_TOKEN }]

bgp:
  local_asn: ${localAsn}
  router_id: "${routerId}"
  neighbors:
    - name: ${yamlText(neighbor.name)}
      address: "${neighbor.address}"${port}
      local_address: "${neighbor.localAddress}"     # the address that the router has as its neighbor
      peer_asn: ${neighbor.peerAsn}
      dialect: ${ROUTER_KINDS[neighbor.platform].dialect}               # what this platform can match and do
      families: [ipv4-flowspec, ipv6-flowspec]     # the same on both sides
      max_rules: ${MAX_RULES}               # the router's own limit should not be lower
      # md5_password_env: EDGE_MD5    # name of the variable that holds the TCP MD5 key
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

/** inventory.yaml */
export function firstInventory(answers: FirstAnswers): string {
  const { id, prefixes } = answers.customer;
  return `# Who owns which addresses. Reports about any other address are refused.
customers:
  - customer_id: ${yamlText(id)}
    prefixes: [${prefixes.map(yamlText).join(', ')}]
    # policy_profile: strict        # sooner and longer; relaxed: later and shorter
    # Services whose ports must never be dropped:
    # services:
    #   - service_id: dns
    #     assets: [{ ip: "${exampleAddress(answers)}" }]
    #     allowed_ports: { udp: [53], tcp: [53] }
`;
}

/** The file with the secrets: for systemd's EnvironmentFile, and for a shell. */
export function firstSecrets({ listen }: FirstAnswers, token: string): string {
  const api = listen === DEFAULT_LISTEN ? '' : `PREFIXD_API=${apiAt(listen)}\n`;
  return `# Secrets of prefixd, one NAME=value a line. Keep this file to its owner: the token is an admin's.\n${DEFAULT_TOKEN_ENV}=${token}\n${api}`;
}

/** Where this machine reaches an API that listens there. */
function apiAt(listen: string): string {
  const { host, port } = parseListen(listen) ?? { host: '127.0.0.1', port: 8080 };
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${endpointText(host, port)}`;
}

/** A double-quoted scalar: JSON's strings are YAML's. */
function yamlText(text: string): string {
  return JSON.stringify(text);
}

// Puts a newcomer's first configuration together and judges it as `check` will, before anything is written.

export interface FirstConfiguration {
  /** Texts by the name of their file within the folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly playbookCount: number;
  readonly leftOut: readonly LeftOut[];
  /** Empty when `check` will find the folder valid. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Makes the files of the folder. `shipped` are the playbooks that come with the program, by the name of their file; `token`
 * is the admin's. Problems and warnings name files by their name alone.
 */
export function firstConfiguration(
  answers: FirstAnswers,
  shipped: PlaybookFiles,
  token: string,
): FirstConfiguration {
  const settings = firstSettings(answers);
  const inventory = firstInventory(answers);
  const assembled = (playbooks: PlaybookFiles): ConfigResult =>
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
  const { files: playbooks, leftOut } = fitPlaybooks(shipped, (files) => {
    const result = assembled(files);
    return result.ok ? result.config.policy : null;
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
    leftOut,
    problems: result.ok ? [] : result.problems,
    warnings: result.warnings,
  };
}
