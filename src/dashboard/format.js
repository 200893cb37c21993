/** Formats values, times and statuses for people. Does not touch the document. */

/** Formats milliseconds as `1 d 2 h`, `3 h 4 min`, `5 min 06 s` or `7 s`; a negative duration is `0 s`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** Formats a time in 24 hours with its zone: `21:03:10 GMT+2`. */
export function timeText(at) {
  return new Date(at).toLocaleTimeString([], { hourCycle: 'h23', timeZoneName: 'short' });
}

/** Formats a date and time in 24 hours with its zone. */
export function dateText(at) {
  return new Date(at).toLocaleString([], { hourCycle: 'h23', timeZoneName: 'short' });
}

const UNITS = ['', 'k', 'M', 'G', 'T'];

/** Formats a value with its unit: `1.2 Gbit/s`; an empty text for null. */
export function figure(value, unit) {
  if (value === null || value === undefined) return '';
  let [scaled, index] = [value, 0];
  while (scaled >= 1000 && index < UNITS.length - 1) {
    scaled /= 1000;
    index++;
  }
  return `${Number(scaled.toPrecision(3))} ${UNITS[index]}${unit}`;
}

/** Formats an event's attack: `udp_flood, 1.2 Gbit/s, 800 kpps`. */
export function attack(event) {
  return [event.vector, figure(event.bps, 'bit/s'), figure(event.pps, 'pps')]
    .filter((part) => part !== '')
    .join(', ');
}

/** Returns a mitigation's action in words: `Police at 5 Mbit/s`, `Redirect to fra`, `Divert to fra`, `Blackhole`. */
export function actionText(mitigation) {
  const { action_type: type, rate_bps: rate, redirect_copy: copy } = mitigation;
  const { scrubber, redirect_vrf: vrf, redirect_ip: ip } = mitigation;
  const target = scrubber ?? (vrf ? `VRF ${vrf}` : ip);
  const words = copy ? 'copy' : type;
  const to = target ? ` to ${target}` : '';
  const at = typeof rate === 'number' ? ` at ${figure(rate, 'bit/s')}` : '';
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${to}${at}`;
}

/** Returns a mitigation's status in words, and its color class. */
export function mitigationStatus(mitigation) {
  if (mitigation.ending) return { text: 'ending', kind: 'warn' };
  if (mitigation.dry_run) return { text: `${mitigation.status} (dry run)`, kind: 'quiet' };
  const count = (state) => mitigation.rules.filter((rule) => rule.state === state).length;
  const unsupported = count('unsupported') > 0 ? `, unsupported on ${count('unsupported')}` : '';
  const overBudget = count('over_budget') > 0 ? `, over budget on ${count('over_budget')}` : '';
  const note = unsupported + overBudget;
  return {
    text: `${mitigation.status}${note}`,
    kind: mitigation.status === 'pending' || note ? 'warn' : 'good',
  };
}

/**
 * Returns a mitigation's history as lines, oldest first: each entry with its time, each reason once, and a line for omitted
 * entries. `timeOf` formats a time.
 */
export function historyLines({ history, history_omitted: omitted }, timeOf) {
  const said = new Set();
  return history.flatMap((entry, i) => {
    const why = entry.why.filter((line) => !said.has(line));
    for (const line of why) said.add(line);
    const gap = i === 0 && omitted.text !== '' ? [omitted.text] : [];
    return [`${timeOf(entry.at)} ${entry.text}`, ...why, ...gap];
  });
}

/** Returns the daemon's status in words. */
export function statusText(status) {
  if (status === 'ok') return 'Healthy';
  return status === 'not_enforcing' ? 'Not enforcing' : 'Degraded';
}

/** Returns the progress of a daemon that starts: `Starting: 1,200 of about 3,000 facts of the journal are read`. */
export function startText({ problems }) {
  return ['Starting', ...problems].join(': ');
}

/** Returns why the daemon is not healthy, and for how long: `edge1: session down (Active), for 5 min 06 s`. */
export function reasonText(reason, now) {
  const since = Date.parse(reason.since);
  return Number.isNaN(since) ? reason.text : `${reason.text}, for ${duration(now - since)}`;
}

/** Returns who is signed in, and with which limits: `alice (operator), limited to customers acme`. */
export function personText({ name, role, scope, issuer }) {
  // Without authentication everybody is anonymous.
  if (issuer === null && name === 'anonymous') return '';
  const limits = Object.entries(scope ?? {})
    .filter(([, names]) => names !== null)
    .map(([key, names]) => `limited to ${key} ${names.join(', ') || '(none)'}`);
  return [`${name} (${role})`, ...limits].join(', ');
}

const SIGN_IN_REASONS = {
  denied: 'The provider has refused the sign-in.',
  expired: 'The sign-in took too long, or began in another browser. Try again.',
  no_role: 'You have no role here. Ask an administrator of prefixd.',
  unavailable: "The provider does not answer. The daemon's log says more.",
  failed: "The provider's answer is not valid. The daemon's log says more.",
};

/** Returns why nobody is signed in, by the daemon's code; an empty text for no code. */
export function signInText(code) {
  if (code === '') return '';
  return Object.hasOwn(SIGN_IN_REASONS, code) ? SIGN_IN_REASONS[code] : 'Nobody is signed in. Try again.';
}

/** Returns a POP's state in words, and its color class. */
export function popState(pop) {
  if (!pop.accepted) return { text: `${pop.state}, not accepted`, kind: 'quiet' };
  return { text: pop.state, kind: pop.state === 'up' ? 'good' : 'bad' };
}

/** Returns how far a POP is behind: `0.4 s`, `5 min 06 s`; an empty text if it was never heard of. */
export function lagText({ lag_seconds: lag }) {
  if (lag === null) return '';
  return lag < 60 ? `${lag.toFixed(1)} s` : duration(lag * 1000);
}

/** Lists what POPs have not done: `safelist add 203.0.113.10/32 by kim: fra unconfirmed (it has not answered yet)`. */
export function unconfirmedLines(requests) {
  return requests.flatMap(({ request, operator, confirmations }) =>
    confirmations
      .filter(({ state }) => state !== 'done')
      .map(
        ({ pop, state, detail }) =>
          `${request} by ${operator}: ${pop} ${state}${detail ? ` (${detail})` : ''}`,
      ),
  );
}

/** Returns a session's color class. */
export function peerKind(peer) {
  if (peer.state === 'established') return 'good';
  return peer.enabled ? 'bad' : 'quiet';
}

/** Returns who disabled a session: an operator, or the configuration. */
export function disabledText(peer) {
  if (!peer.disabled) return 'disabled in the configuration';
  const { by, reason } = peer.disabled;
  return `disabled by ${by}${reason ? `: ${reason}` : ''}`;
}
