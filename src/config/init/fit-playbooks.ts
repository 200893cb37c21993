/**
 * Fits the bundled playbooks to the routers of a new configuration: removes steps that no router can enforce, and adds
 * a comment about them. Reads and writes no files.
 */
import { type Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { DISCARD } from '../../core/action.ts';
import type { PlaybookMatch } from '../../core/policy/playbook.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { impliedProtocol, protocolName } from '../../core/policy/vectors.ts';
import { actionWords } from '../../core/rule-text.ts';
import { enforcementChecks } from '../validate/enforcement-checks.ts';

/** Texts of playbooks by file name. */
export type ShippedPlaybooks = ReadonlyMap<string, string>;

/** A step that was removed. */
export interface OmittedStep {
  readonly file: string;
  readonly playbook: string;
  /** Such as `step 1 of udp_flood (police at 5 Mbit/s)`, numbered as in the bundled file. */
  readonly step: string;
}

export interface FittedPlaybooks {
  readonly files: ShippedPlaybooks;
  readonly omitted: readonly OmittedStep[];
}

/** Exceeds the number of steps in the bundled playbooks. */
const MAX_ROUNDS = 1000;

/**
 * Removes, one by one, the steps that no router can enforce. A removed step's `match` moves to the next step, which
 * would otherwise match more than before. Removes playbooks without steps and files without playbooks. `policyFor`
 * returns the policy with these playbooks, or undefined if they are invalid.
 */
export function fitPlaybooks(
  shipped: ShippedPlaybooks,
  policyFor: (files: ShippedPlaybooks) => Policy | undefined,
): FittedPlaybooks {
  const files = new Map(shipped);
  const omitted: OmittedStep[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const policy = policyFor(files);
    const found = policy === undefined ? undefined : firstStep(policy);
    if (found === undefined) break;
    const file = fileOf(files, found.playbook);
    if (file === undefined) break;
    const document = parseDocument(files.get(file) ?? '');
    // Steps are removed in order, so every earlier removal in this playbook was in front of this step.
    const before = omitted.filter(({ playbook }) => playbook === found.name).length;
    const step = `step ${found.index + 1 + before} of ${found.name} (${takeOut(document, found)})`;
    omitted.push({ file, playbook: found.name, step });
    put(files, file, document);
    const gone = policy?.playbooks.byName.get(found.name)?.match;
    if (found.playbook !== undefined && gone !== undefined && mapOf(document, found.playbook) === undefined) {
      keepOthersOff(files, gone);
    }
  }
  return { files: withComments(files, omitted), omitted };
}

/** Stores the document as the file's text; removes the file if no playbook is left in it. */
function put(files: Map<string, string>, file: string, document: Document): void {
  if (hasPlaybooks(document)) files.set(file, document.toString({ lineWidth: 0 }));
  else files.delete(file);
}

/**
 * Called after a playbook for one protocol of a vector was removed. Limits the vector's playbooks without a protocol to
 * its other protocol, so that they do not handle these attacks: ICMPv6 must not be discarded because it cannot be
 * policed.
 */
function keepOthersOff(files: Map<string, string>, { vectors, protocol }: PlaybookMatch): void {
  if (protocol === null) return;
  for (const [file, text] of [...files]) {
    const document = parseDocument(text);
    for (const playbook of listOf(document)?.items.filter(isMap) ?? []) {
      const match: unknown = playbook.get('match');
      if (!isMap(match) || match.has('protocol')) continue;
      const vector = match.toJSON().vector;
      const shared = [vector].flat().find((one: unknown) => typeof one === 'string' && vectors.includes(one));
      const other = ([4, 6] as const)
        .map((family) => impliedProtocol(String(shared), family))
        .find((one) => one !== null && one !== protocol);
      if (shared === undefined || other == null) continue;
      match.set('protocol', protocolName(other));
      put(files, file, document);
    }
  }
}

/** Locates a step; `playbook` is undefined for the default playbook. */
interface StepPlace {
  readonly playbook: string | undefined;
  /** The playbook's name for people. */
  readonly name: string;
  readonly index: number;
}

/** Finds the first step that no router can enforce as written. */
function firstStep(policy: Policy): StepPlace | undefined {
  const { playbooks } = policy;
  for (const { path } of enforcementChecks(policy)) {
    const [top, second, third] = path;
    if (top === 'default_playbook' && typeof third === 'number') {
      return { playbook: undefined, name: playbooks.fallback?.name ?? 'default', index: third };
    }
    const index = path[3];
    if (typeof second !== 'number' || typeof index !== 'number') continue;
    const name = playbooks.data.playbooks?.[second]?.name;
    if (name !== undefined) return { playbook: name, name, index };
  }
  return undefined;
}

/** Finds the file with the playbook; names are unique among all files. */
function fileOf(files: ShippedPlaybooks, playbook: string | undefined): string | undefined {
  for (const [file, text] of files) {
    if (mapOf(parseDocument(text), playbook) !== undefined) return file;
  }
  return undefined;
}

function mapOf(document: Document, playbook: string | undefined): YAMLMap | undefined {
  if (playbook === undefined) {
    const fallback: unknown = document.get('default_playbook');
    return isMap(fallback) ? fallback : undefined;
  }
  return listOf(document)
    ?.items.filter(isMap)
    .find((item) => item.get('name') === playbook);
}

function listOf(document: Document): YAMLSeq | undefined {
  const all: unknown = document.get('playbooks');
  return isSeq(all) ? all : undefined;
}

/** Removes the step from the document and returns its action as text. */
function takeOut(document: Document, { playbook, index }: StepPlace): string {
  const map = mapOf(document, playbook);
  const steps: unknown = map?.get('steps');
  const step: unknown = isSeq(steps) ? steps.items[index] : undefined;
  if (map === undefined || !isSeq(steps) || !isMap(step)) throw new RangeError('there is no such step');
  const next: unknown = steps.items[index + 1];
  if (isMap(next)) {
    if (step.has('match') && !next.has('match')) next.set('match', step.get('match', true));
    if (index === 0) {
      // The first step has no conditions for escalation.
      next.delete('require_confidence_at_least');
      next.delete('require_persistence_seconds');
    }
  }
  steps.items.splice(index, 1);
  if (steps.items.length === 0) {
    const all = listOf(document);
    if (playbook === undefined) document.delete('default_playbook');
    else all?.items.splice(all.items.indexOf(map), 1);
  }
  const rate: unknown = step.get('rate_bps');
  if (step.get('action') !== 'police') return actionWords(DISCARD);
  return typeof rate === 'number' ? actionWords({ type: 'police', rateBps: rate }) : 'police';
}

function hasPlaybooks(document: Document): boolean {
  return document.has('default_playbook') || (listOf(document)?.items.length ?? 0) > 0;
}

function withComments(files: ShippedPlaybooks, omitted: readonly OmittedStep[]): ShippedPlaybooks {
  return new Map(
    [...files].map(([file, text]) => {
      const steps = omitted.filter((one) => one.file === file).map(({ step }) => step);
      const comment =
        steps.length === 0
          ? ''
          : `# Omitted by "prefixd init", because no router can enforce it: ${steps.join(', ')}.\n`;
      return [file, comment + text];
    }),
  );
}
