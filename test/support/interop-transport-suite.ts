/** Tests below BGP: TCP MD5 (RFC 2385), GTSM (RFC 5082), IPv6. */
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InteropContext } from './interop-context.ts';
import { DISCARD, FLOWSPEC, Rig, route } from './interop-rig.ts';
import { components } from './interop-rules.ts';

/** Declares it for one daemon. */
export function transportSuite(context: InteropContext): void {
  const { traits, skip, proves } = context;
  const { kind } = traits;
  const daemonDials = traits.dials === 'daemon';
  const rule = route('ipv4-flowspec', components('ipv4-flowspec', 1), DISCARD);

  describe(`${kind}: TCP MD5`, { skip }, () => {
    proves('with the same password the session is established and carries rules', async () => {
      const rig = await Rig.start(kind, { daemonDials, ourPassword: 's3cret', theirPassword: 's3cret' });
      try {
        rig.announce(rule);
        await rig.onlyRule('ipv4-flowspec', components('ipv4-flowspec', 1), 0);
      } finally {
        await rig.end();
      }
    });
  });

  describe(`${kind}: GTSM`, { skip }, () => {
    proves(
      'GTSM on both sides, over IPv4 and IPv6: the session is established and carries rules',
      async () => {
        for (const overIPv6 of [false, true]) {
          const both = { ourTtlSecurity: true, theirTtlSecurity: true };
          const rig = await Rig.start(kind, { daemonDials, overIPv6, ...both });
          try {
            rig.announce(rule);
            await rig.onlyRule('ipv4-flowspec', components('ipv4-flowspec', 1), 0);
          } finally {
            await rig.end();
          }
        }
      },
    );
  });

  describe(`${kind}: what must not come up`, { skip }, () => {
    let password: Rig;
    let here: Rig;
    let there: Rig;
    before(async () => {
      [password, here, there] = await Promise.all([
        Rig.start(kind, { daemonDials, ourPassword: 's3cret', theirPassword: 'other' }, false),
        Rig.start(kind, { daemonDials, ourTtlSecurity: true }, false),
        Rig.start(kind, { daemonDials, theirTtlSecurity: true }, false),
      ]);
      for (const rig of [password, here, there]) rig.announce(rule);
      // Such segments are dropped silently, so the only sign is that nothing happens.
      await sleep(4000);
    });
    after(() => Promise.all([password, here, there].map((rig) => rig?.end())));

    proves('with a different password the session is not established', async () => {
      assert.equal(password.speaker.isEstablished(kind), false, password.log.join('\n'));
      assert.equal(await password.daemon.established(password.ourAddress), false);
    });

    proves('GTSM in prefixd, and a daemon that sends with a lower TTL: no session', async () => {
      assert.equal(here.speaker.isEstablished(kind), false, here.log.join('\n'));
      assert.equal(await here.daemon.count('ipv4-flowspec'), 0);
    });

    if (traits.checksTtl) {
      proves('GTSM in the daemon, and prefixd sends with a lower TTL: no session', async () => {
        // Its OPEN may reach us, and a KEEPALIVE when ours came before it had set the option; no more than that.
        assert.equal(await there.daemon.established(there.ourAddress), false, there.log.join('\n'));
        assert.equal(await there.daemon.count('ipv4-flowspec'), 0);
      });
    }
  });

  describe(`${kind}: over IPv6`, { skip }, () => {
    proves('a session between IPv6 addresses carries rules of both families', async () => {
      const rig = await Rig.start(kind, { daemonDials, overIPv6: true });
      try {
        for (const family of FLOWSPEC) rig.announce(route(family, components(family, 1), DISCARD));
        for (const family of FLOWSPEC) await rig.onlyRule(family, components(family, 1), 0);
      } finally {
        await rig.end();
      }
    });
  });
}
