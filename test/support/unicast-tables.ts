/** Unicast routes as the tables of the real daemons show them, in this project's notation. */
import { unicastRoute, parseUnicastRoute } from '../../src/bgp/rib/unicast-route.ts';
import { at } from './daemons/gobgp.ts';
import type { AnyDaemon } from './daemons.ts';

/** Returns what a daemon's table shows of the route to a prefix; undefined if it has none. */
export async function shownRoute(daemon: AnyDaemon, prefix: string): Promise<string | undefined> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  switch (daemon.kind) {
    case 'bird': {
      const asked = ['show', 'route', prefix, 'table', `master${family.slice(-1)}`, 'all'];
      // birdc fails where there is no route.
      const text = await daemon.command(...asked).catch((error: Error) => {
        if (error.message.includes('Network not found')) return '';
        throw error;
      });
      const nextHop = /BGP\.next_hop: (\S+)/.exec(text)?.[1];
      const pairs = /BGP\.community: (.*)/.exec(text)?.[1] ?? '';
      const triples = /BGP\.large_community: (.*)/.exec(text)?.[1] ?? '';
      return notation(prefix, nextHop, [
        ...[...pairs.matchAll(/\((\d+),(\d+)\)/g)].map(([, high, low]) => `${high}:${low}`),
        ...[...triples.matchAll(/\((\d+), (\d+), (\d+)\)/g)].map((parts) => parts.slice(1).join(':')),
      ]);
    }
    case 'frr': {
      const table: unknown = JSON.parse(await daemon.command(`show bgp ${family} unicast ${prefix} json`));
      const path = at(table, 'paths', 0);
      return notation(prefix, at(path, 'nexthops', 0, 'ip'), [
        ...words(at(path, 'community', 'string')),
        ...words(at(path, 'largeCommunity', 'string')),
      ]);
    }
    case 'gobgp': {
      const table: unknown = JSON.parse(await daemon.tableText(`${family}-unicast`));
      const attributes = list(at(table, prefix, 0, 'attrs'));
      const of = (type: number): unknown => attributes.find((one) => at(one, 'type') === type);
      return notation(prefix, at(of(family === 'ipv4' ? 3 : 14), 'nexthop'), [
        ...list(at(of(8), 'communities')).map((one) => `${Number(one) >>> 16}:${Number(one) & 0xffff}`),
        ...list(at(of(32), 'value')).map((one) =>
          ['ASN', 'LocalData1', 'LocalData2'].map((key) => at(one, key)).join(':'),
        ),
      ]);
    }
    case 'exabgp':
      return exabgpRoute(await daemon.received(), `${family} unicast`, prefix);
  }
}

/** ExaBGP keeps no table: the last word about the prefix counts. */
function exabgpRoute(lines: readonly unknown[], family: string, prefix: string): string | undefined {
  let shown: string | undefined;
  for (const line of lines) {
    const update = at(line, 'neighbor', 'message', 'update');
    if (list(at(update, 'withdraw', family)).some((one) => at(one, 'nlri') === prefix)) shown = undefined;
    const announced = at(update, 'announce', family);
    for (const [nextHop, routes] of Object.entries(announced ?? {})) {
      if (!list(routes).some((one) => at(one, 'nlri') === prefix)) continue;
      const communities = ['community', 'large-community'].flatMap((name) =>
        list(at(update, 'attribute', name)),
      );
      shown = notation(
        prefix,
        nextHop,
        communities.map((one) => list(one).join(':')),
      );
    }
  }
  return shown;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function words(text: unknown): readonly string[] {
  return typeof text === 'string' ? text.split(' ') : [];
}

/** The canonical text of what was read, so that names and order do not matter. */
function notation(prefix: string, nextHop: unknown, communities: readonly string[]): string | undefined {
  if (nextHop === undefined) return undefined;
  const more = communities.length === 0 ? '' : ` community ${communities.join(',')}`;
  const parsed = parseUnicastRoute(`route ${prefix} next-hop ${nextHop}${more}`);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return unicastRoute({ ...parsed.value, owner: '' }).text;
}
