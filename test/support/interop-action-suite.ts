/** Rules with every action, announced to one daemon and read back from its table. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../src/net/bytes.ts';
import { until } from './children.ts';
import { actionCases, expected } from './interop-actions.ts';
import type { InteropContext } from './interop-context.ts';
import { DISCARD, FLOWSPEC, Rig, route } from './interop-rig.ts';
import { components } from './interop-rules.ts';
import { addressHex } from './rule-json.ts';

/** Declares it for one daemon. */
export function actionSuite(context: InteropContext): void {
  const { traits, skip, report } = context;
  const { kind } = traits;
  const daemonDials = traits.dials === 'daemon';

  describe(`${kind}: actions`, { skip }, () => {
    let rig: Rig;
    before(async () => {
      rig = await Rig.start(kind, { daemonDials });
    });
    after(() => rig.end());

    for (const family of FLOWSPEC) {
      const cases = actionCases(family).map((one, n) => ({
        one,
        components: components(family, n + 1),
        rule: route(family, components(family, n + 1), one.actions),
        resets: one.otherwise?.[kind]?.does === 'resets',
      }));
      const standing = cases.filter(({ resets }) => !resets);

      it(`${family}: rules with every action are shown as docs/interop.md says`, async () => {
        for (const { one, rule } of cases) {
          const { extendedCommunities, ipv6ExtendedCommunities, nextHop } = rule.attributes;
          const sent = toHex(extendedCommunities) + toHex(ipv6ExtendedCommunities);
          assert.equal(sent, one.octets.replaceAll(' ', ''), one.name);
          assert.equal(toHex(nextHop), one.nextHop === undefined ? '' : addressHex(one.nextHop), one.name);
        }
        const rules = standing.map(({ rule }) => rule);
        const { routesReceived } = rig.status.counters;
        rig.announce(...rules);
        const table = await rig.table(family, standing.length);
        const shown = new Map(table.map((rule) => [JSON.stringify(rule.components), rule]));
        const read = standing.map(({ one, components: match }) => {
          const rule = shown.get(JSON.stringify(match));
          return {
            name: one.name,
            shows: rule?.actions.join(' '),
            ...(rule?.nextHop === undefined ? {} : { nextHop: rule.nextHop }),
          };
        });
        assert.deepEqual(
          read,
          standing.map(({ one }) => ({ name: one.name, ...expected(one, kind) })),
        );
        if (traits.echoes === true) {
          const all = routesReceived + rules.length;
          await until('all rules are echoed', () => rig.status.counters.routesReceived >= all);
        }
        rig.withdraw(...rules);
        await rig.holds(family, 0);
        assert.equal(rig.status.counters.flaps, 0, rig.log.join('\n'));
        for (const { one, components: match } of standing) {
          report.actions.push(`${family}: ${one.name}`);
          const isOpaque = shown.get(JSON.stringify(match))?.opaque === true;
          if (isOpaque && !report.opaque.includes(one.name)) report.opaque.push(one.name);
        }
      });
    }

    for (const family of FLOWSPEC) {
      for (const one of actionCases(family).filter((each) => each.otherwise?.[kind]?.does === 'resets')) {
        it(`${family}: ${one.name} ends the session, which comes back when the rule is gone`, async () => {
          const { flaps } = rig.status.counters;
          const rule = route(family, components(family, 1), one.actions);
          rig.announce(rule);
          await until('the session ends', () => rig.status.counters.flaps > flaps);
          rig.withdraw(rule);
          const calm = route(family, components(family, 2), DISCARD);
          rig.announce(calm);
          await rig.established();
          await rig.onlyRule(family, components(family, 2), 0);
          rig.withdraw(calm);
          await rig.holds(family, 0);
          report.actions.push(`${family}: ${one.name}`);
        });
      }
    }
  });
}
