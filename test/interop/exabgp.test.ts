import { interopSuite } from '../support/interop-suite.ts';

interopSuite({
  kind: 'exabgp',
  dials: 'daemon',
  helps: false,
  // 4.2.21 checks the TTL on connections that it accepts; it dials here.
  checksTtl: false,
  // No lastShutdown: 4.2.21 with an API process for parsed messages stumbles over every NOTIFICATION that it receives.
});
