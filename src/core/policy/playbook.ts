/** What to do about which attack: playbooks, their steps, and how they are read from `playbooks.yaml`. */
import type { MitigationAction } from '../action.ts';
import {
  type PlaybookData,
  type PlaybooksData,
  type ScopeData,
  type StepData,
  type Way,
  WAYS,
} from './playbook-schema.ts';
import type { PolicyProblem } from './policy-problem.ts';
import type { ProfileName } from './profile.ts';
import { readAction } from './step-action.ts';
import { asList, NO_REFINEMENT, readRefinement, type Refinement } from './refinement.ts';
import {
  canonicalVector,
  hasPorts,
  impliedProtocol,
  PROTOCOL_LIST,
  Protocol,
  protocolNumber,
  VECTOR_PATTERN,
  VECTOR_SYNTAX,
} from './vectors.ts';

/** Conditions, all of which must hold. Null and empty do not restrict. */
export interface PlaybookMatch {
  readonly vectors: readonly string[];
  readonly requirePorts: boolean;
  readonly sources: readonly string[];
  readonly protocol: number | null;
  readonly minBps: number | null;
  readonly minPps: number | null;
  readonly minConfidence: number | null;
  readonly customers: readonly string[];
  readonly profiles: readonly ProfileName[];
}

/** The POPs whose routers get a step's rule: one of four words, or their names. */
export type StepScope = ScopeData;

export interface Step {
  readonly action: MitigationAction;
  /** Of a police whose rule matches every protocol of its victim, in place of its rate (bits a second); absent: the same. */
  readonly wholeHostRateBps?: number;
  /** null: timers.default_ttl_seconds. */
  readonly ttlSeconds: number | null;
  /** 0..1, before the profile scales it; null: the escalation section says. */
  readonly confidence: number | null;
  /** Before the profile scales it; null: the escalation section says. */
  readonly persistenceSeconds: number | null;
  readonly refinement: Refinement;
  /** Absent: `here`. */
  readonly scope?: StepScope;
}

export interface Playbook {
  readonly name: string;
  /** The POPs that use it; absent: all. */
  readonly pops?: readonly string[];
  readonly match: PlaybookMatch;
  /** At least one. */
  readonly steps: readonly Step[];
  /** What to try, in this order, for a rule that no neighbor can enforce. */
  readonly ways: readonly Way[];
}

/** Read-only once built; a reload builds another. */
export interface PlaybookSet {
  readonly names: readonly string[];
  readonly byName: ReadonlyMap<string, Playbook>;
  /** By vector, the ones to ask first at the head (see choosePlaybook). */
  readonly byVector: ReadonlyMap<string, readonly Playbook[]>;
  readonly fallback: Playbook | null;
  /** What it was built from, for display. */
  readonly data: PlaybooksData;
}

const MAX_NAME_LENGTH = 128;
const DEFAULT_NAME = 'default';

const ANYTHING: PlaybookMatch = {
  vectors: [],
  requirePorts: false,
  sources: [],
  protocol: null,
  minBps: null,
  minPps: null,
  minConfidence: null,
  customers: [],
  profiles: [],
};

type PlaybookPath = readonly (string | number)[];

/**
 * Reads playbooks that the schema has accepted. Those with an error are not usable, so a caller must not use a set whose
 * problems contain one. Leaves out those that are not for `pop`; when it is unknown, none.
 */
export function buildPlaybooks(
  data: PlaybooksData,
  pop?: string,
): {
  readonly playbooks: PlaybookSet;
  readonly problems: readonly PolicyProblem[];
} {
  const problems: PolicyProblem[] = [];
  const byName = new Map<string, Playbook>();
  const elsewhere = new Map<string, Playbook>();
  const all: Playbook[] = [];
  (data.playbooks ?? []).forEach((entry, i) => {
    const path: PlaybookPath = ['playbooks', i];
    const playbook: Playbook = {
      name: entry.name,
      ...(entry.pops === undefined ? {} : { pops: entry.pops }),
      match: readMatch(entry, path, problems),
      steps: readSteps(entry.steps, [...path, 'steps'], problems),
      ways: entry.when_unenforceable ?? WAYS,
    };
    checkName(entry.name, byName.has(entry.name) ? byName : elsewhere, [...path, 'name'], problems);
    checkFit(playbook, path, problems);
    if (entry.correlation !== undefined) {
      const message =
        'correlation is not used here: events of one victim and protocol are correlated by their ports';
      problems.push({ path: [...path, 'correlation'], message, severity: 'warning' });
    }
    if (isForPop(playbook, pop)) {
      byName.set(playbook.name, playbook);
      all.push(playbook);
    } else elsewhere.set(playbook.name, playbook);
  });
  const fallback = readFallback(data, byName, problems);
  if (fallback !== null) byName.set(fallback.name, fallback);
  if (byName.size + elsewhere.size === 0) {
    const message = 'there is no playbook and no default_playbook: no attack will ever be mitigated';
    problems.push({ path: ['playbooks'], message, severity: 'warning' });
  }
  const playbooks = { names: [...byName.keys()], byName, byVector: indexByVector(all), fallback, data };
  return { playbooks, problems };
}

/** True when a POP uses the playbook; also when the POP is unknown. */
export function isForPop(
  { pops }: { readonly pops?: readonly string[] | undefined },
  pop: string | undefined,
): boolean {
  return pops === undefined || pop === undefined || pops.includes(pop);
}

function readFallback(
  data: PlaybooksData,
  byName: ReadonlyMap<string, Playbook>,
  problems: PolicyProblem[],
): Playbook | null {
  const entry = data.default_playbook;
  if (entry === undefined) return null;
  const name = entry.name ?? DEFAULT_NAME;
  checkName(name, byName, ['default_playbook', 'name'], problems);
  return {
    name,
    match: ANYTHING,
    steps: readSteps(entry.steps, ['default_playbook', 'steps'], problems),
    ways: entry.when_unenforceable ?? WAYS,
  };
}

function checkName(
  name: string,
  taken: ReadonlyMap<string, Playbook>,
  path: PlaybookPath,
  problems: PolicyProblem[],
): void {
  if (name.length > MAX_NAME_LENGTH) {
    problems.push(error(path, `a playbook's name has 1 to ${MAX_NAME_LENGTH} characters`));
  }
  if (taken.has(name)) problems.push(error(path, `the name "${name}" is used twice`));
}

function readMatch({ match }: PlaybookData, path: PlaybookPath, problems: PolicyProblem[]): PlaybookMatch {
  const at = [...path, 'match'];
  const vectors = asList(match.vector);
  for (const vector of vectors) {
    if (!VECTOR_PATTERN.test(vector)) {
      problems.push(error([...at, 'vector'], `"${vector}" is not a vector: ${VECTOR_SYNTAX}`));
    }
  }
  const protocol = match.protocol === undefined ? null : protocolNumber(match.protocol);
  if (protocol === undefined) {
    const message = `"${match.protocol}" is not a protocol: a number 0 to 255, or ${PROTOCOL_LIST}`;
    problems.push(error([...at, 'protocol'], message));
  }
  return {
    // Reports are read by the same table, so a playbook may use any name of a vector.
    vectors: [...new Set(vectors.map(canonicalVector))],
    requirePorts: match.require_top_ports ?? false,
    sources: asList(match.source),
    protocol: protocol ?? null,
    minBps: match.min_bps ?? null,
    minPps: match.min_pps ?? null,
    minConfidence: match.min_confidence ?? null,
    customers: asList(match.customer),
    profiles: asList(match.profile),
  };
}

function readSteps(
  steps: readonly StepData[],
  path: PlaybookPath,
  problems: PolicyProblem[],
): readonly Step[] {
  const result: Step[] = [];
  steps.forEach((data, i) => {
    const before = result.at(-1)?.refinement ?? NO_REFINEMENT;
    result.push(readStep(data, before, i === 0, [...path, i], problems));
  });
  return result;
}

function readStep(
  data: StepData,
  before: Refinement,
  first: boolean,
  path: PlaybookPath,
  problems: PolicyProblem[],
): Step {
  const action = readAction(data, (key, message, severity) =>
    problems.push({ path: [...path, key], message, severity }),
  );
  const wholeHost = data.whole_host_rate_bps;
  const persistence = data.require_persistence_seconds;
  if (first && data.require_confidence_at_least !== undefined) {
    const message = 'the first step applies at once; use match.min_confidence instead';
    problems.push(error([...path, 'require_confidence_at_least'], message));
  }
  if (first && persistence !== undefined) {
    problems.push(
      error([...path, 'require_persistence_seconds'], 'the first step applies at once: take this key out'),
    );
  }
  return {
    action,
    ...(data.action === 'police' && wholeHost !== undefined ? { wholeHostRateBps: wholeHost } : {}),
    ttlSeconds: data.ttl_seconds ?? null,
    confidence: data.require_confidence_at_least ?? null,
    persistenceSeconds: persistence ?? null,
    ...(data.scope === undefined ? {} : { scope: data.scope }),
    refinement:
      data.match === undefined
        ? before
        : readRefinement(data.match, (key, message) =>
            problems.push(error([...path, 'match', key], message)),
          ),
  };
}

/** Refinements that no packet of the playbook's vectors could meet. */
function checkFit(playbook: Playbook, path: PlaybookPath, problems: PolicyProblem[]): void {
  const protocols =
    playbook.match.protocol !== null
      ? [playbook.match.protocol]
      : playbook.match.vectors.map((vector) => impliedProtocol(vector, 4));
  playbook.steps.forEach(({ refinement }, i) => {
    const at = [...path, 'steps', i, 'match'];
    for (const protocol of protocols) {
      if (refinement.tcpFlags !== 0 && protocol !== null && protocol !== Protocol.Tcp) {
        problems.push(
          error([...at, 'tcp_flags'], 'tcp_flags fit TCP only, and this playbook is for another protocol'),
        );
        break;
      }
      if (refinement.srcPorts.length > 0 && !hasPorts(protocol)) {
        problems.push(
          error(
            [...at, 'src_ports'],
            'src_ports fit TCP and UDP only, and this playbook is for another protocol',
          ),
        );
        break;
      }
    }
  });
}

/** Playbooks of each vector; those for a customer, then a source, a protocol, a profile, a POP come first, else the file's order. */
function indexByVector(playbooks: readonly Playbook[]): ReadonlyMap<string, readonly Playbook[]> {
  const index = new Map<string, Playbook[]>();
  for (const playbook of playbooks) {
    for (const vector of new Set(playbook.match.vectors)) {
      const list = index.get(vector);
      if (list === undefined) index.set(vector, [playbook]);
      else list.push(playbook);
    }
  }
  for (const list of index.values()) list.sort((a, b) => specificity(b) - specificity(a));
  return index;
}

function specificity({ match, pops }: Playbook): number {
  return (
    (match.customers.length > 0 ? 16 : 0) +
    (match.sources.length > 0 ? 8 : 0) +
    (match.protocol !== null ? 4 : 0) +
    (match.profiles.length > 0 ? 2 : 0) +
    (pops === undefined ? 0 : 1)
  );
}

function error(path: PlaybookPath, message: string): PolicyProblem {
  return { path, message, severity: 'error' };
}
