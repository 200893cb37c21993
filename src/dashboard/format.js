/** Figures and times as people read them. No document is touched here. */

/** Milliseconds as `1 d 2 h`, `3 h 4 min`, `5 min 06 s` or `7 s`; what is over is `0 s`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

const UNITS = ['', 'k', 'M', 'G', 'T'];

/** A figure with its unit: `1.2 Gbit/s`; an empty text for null. */
export function figure(value, unit) {
  if (value === null || value === undefined) return '';
  let [scaled, index] = [value, 0];
  while (scaled >= 1000 && index < UNITS.length - 1) {
    scaled /= 1000;
    index++;
  }
  return `${Number(scaled.toPrecision(3))} ${UNITS[index]}${unit}`;
}

/** What an event said about the attack: `udp_flood, 1.2 Gbit/s, 800 kpps`. */
export function attack(event) {
  return [event.vector, figure(event.bps, 'bit/s'), figure(event.pps, 'pps')]
    .filter((part) => part !== '')
    .join(', ');
}

/** The status of a mitigation in words, and how it is to be coloured. */
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
 * A mitigation's life as lines, oldest first: what happened when, each reason once, and what is left out where it was.
 * `timeOf` puts a time into words.
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

/** The daemon's own assessment of itself, in words. */
export function statusText(status) {
  if (status === 'ok') return 'Healthy';
  return status === 'not_enforcing' ? 'Not enforcing' : 'Degraded';
}

/** How far a daemon is that starts: `Starting: 1,200 of about 3,000 facts of the journal are read`. */
export function startText({ problems }) {
  return ['Starting', ...problems].join(': ');
}

/** Why the status is not healthy, and for how long: `edge1 is active, for 5 min 06 s`. */
export function reasonText(reason, now) {
  const since = Date.parse(reason.since);
  return Number.isNaN(since) ? reason.text : `${reason.text}, for ${duration(now - since)}`;
}

/** How a session is to be coloured. */
export function peerKind(peer) {
  if (peer.state === 'established') return 'good';
  return peer.enabled ? 'bad' : 'quiet';
}

/** Who keeps a session down that is not enabled: an operator, or the configuration. */
export function disabledText(peer) {
  if (!peer.disabled) return 'disabled in the configuration';
  const { by, reason } = peer.disabled;
  return `disabled by ${by}${reason ? `: ${reason}` : ''}`;
}
