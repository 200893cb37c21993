/** Tells a key in the wrong section from one that is only indented wrongly, and where it belongs. */
import type { Path } from './problem.ts';
import type { YamlSource } from './yaml.ts';

/**
 * Where an unknown key belongs and how to move it there. `homes` are the dotted paths of the sections that know such a
 * key, list indices left out; '' is the top of the file. Undefined when no section does.
 */
export function placementAdvice(
  source: YamlSource,
  section: Path,
  key: string,
  homes: readonly string[],
): string | undefined {
  const [home] = homes;
  if (home === undefined) return undefined;
  const near = homes.flatMap((one) => besideAdvice(source, section, key, one) ?? [])[0];
  const outer = homes.flatMap((one) => outerAdvice(source, section, key, one) ?? [])[0];
  return near ?? outer ?? `it belongs to ${nameOf(home)}; move it there`;
}

/** The key stands beside the section to which it belongs: it is indented too little. */
function besideAdvice(source: YamlSource, section: Path, key: string, home: string): string | undefined {
  const around = plain(section);
  if (home === around || !isWithin(home, around)) return undefined;
  const sibling = home.slice(around === '' ? 0 : around.length + 1).split('.')[0] ?? '';
  if (!source.keys(section).includes(sibling)) return undefined;
  const place = source.place([...section, sibling], 'key');
  if (place.line >= source.place([...section, key], 'key').line) return undefined;
  return `it belongs to ${home}: indent it below "${sibling}" in line ${place.line}`;
}

/** The key stands inside of a section that itself belongs beside it: it is indented too much. */
function outerAdvice(source: YamlSource, section: Path, key: string, home: string): string | undefined {
  const depth = section.findIndex((_, i) => plain(section.slice(0, i)) === home);
  if (depth < 0 || plain(section) === home) return undefined;
  const [first] = source.keys(section.slice(0, depth));
  if (first === undefined) return undefined;
  const place = source.place([...section.slice(0, depth), first], 'key');
  // On one line it is not a matter of indentation.
  if (place.line === source.place([...section, key], 'key').line) return undefined;
  return `it belongs to ${nameOf(home)}: indent it like "${first}" in line ${place.line}`;
}

/** The dotted path without list indices. */
function plain(path: Path): string {
  return path.filter((part) => typeof part === 'string').join('.');
}

function isWithin(inner: string, outer: string): boolean {
  return outer === '' || inner === outer || inner.startsWith(`${outer}.`);
}

function nameOf(home: string): string {
  return home === '' ? 'the top of the file' : home;
}
