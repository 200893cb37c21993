import { interopSuite } from '../support/interop-suite.ts';

interopSuite({
  kind: 'gobgp',
  dials: 'we',
  helps: true,
  checksTtl: true,
  // No refresh: its softresetin works on what it has received before, and sends no ROUTE-REFRESH.
  lastShutdown: async (rig) => rig.daemon.log(),
});
