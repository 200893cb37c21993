/** Runs the page: reads the API, shows the tables, and handles sign-in and withdrawals. */
import { ApiError, command, follow, hasToken, read, serverNow } from './api.js';
import { reasonText, startText, statusText, timeText, unconfirmedLines } from './format.js';
import { askToSignIn, connectForms, currentCaller, isAsking, recognize } from './people.js';
import { element, setText } from './table.js';
import { countDown, eventTable, mitigationTable, peerTable, popTable } from './views.js';

/** Polls this often (ms), because sessions can change without a message on the feed. */
const POLL_MS = 5_000;
/** Reads at most this often after messages on the feed (ms), which arrive in bursts. */
const SETTLE_MS = 300;
const RETRY_MS = 3_000;
const OPERATOR_KEY = 'prefixd-operator';

const byId = (id) => document.getElementById(id);
const showPeers = peerTable(byId('peers'));
const showMitigations = mitigationTable(byId('mitigations'), openWithdraw, (id) =>
  read(`/v1/mitigations/${encodeURIComponent(id)}`),
);
const showEvents = eventTable(byId('events'));
const showPops = popTable(byId('pops'));

/** The time of the daemon's last response (ms); null before the first. */
let lastReadAt = null;
let live = false;
let lastEventId = null;
let refreshing = false;
let refreshAgain = false;
let settling = false;
let feed = null;

function show(id, visible) {
  byId(id).hidden = !visible;
}

/** Reads all data and shows it. Runs once at a time; a call during a run causes one more run after it. */
async function refresh() {
  if (refreshing) {
    refreshAgain = true;
    return;
  }
  refreshing = true;
  try {
    const health = await read('/v1/health/detail');
    if (health.status === 'starting') {
      showStart(health);
      return;
    }
    await recognize();
    const [peers, mitigations, events, pops] = await Promise.all([
      // Who is limited to some customers does not see the neighbors.
      health.peers === null ? null : read('/v1/peers'),
      read('/v1/mitigations?status=pending,active,escalated&limit=200'),
      read('/v1/events?limit=20'),
      currentCaller()?.scope ? null : read('/v1/pops'),
    ]);
    showBoard(health, peers, mitigations, events);
    showExchange(pops ?? { exchange: null });
  } catch (error) {
    failed(error);
  } finally {
    refreshing = false;
    if (refreshAgain) {
      refreshAgain = false;
      settle();
    }
  }
}

function showBoard(health, peers, mitigations, events) {
  // Somebody has signed out meanwhile.
  if (currentCaller() === null) return;
  setStale(false);
  show('sign-in', false);
  show('board', true);
  lastReadAt = Date.now();
  setText(byId('pop'), health.pop);
  showProblems(health);
  const notes = [
    statusText(health.status),
    ...(health.peers === null
      ? []
      : [`${health.peers.established} of ${health.peers.configured} sessions established`]),
    live ? 'live updates' : `updated every ${POLL_MS / 1000} s`,
  ];
  setText(byId('status'), notes.join(', '));
  byId('status').className = health.status === 'ok' ? '' : 'bad';
  show('neighbors', peers !== null);
  showPeers(peers ?? []);
  showMitigations(mitigations.mitigations);
  showEvents(events.events);
  const more = mitigations.next_cursor === null ? '' : ' newest';
  setText(byId('mitigation-count'), `${mitigations.mitigations.length}${more}`);
  show('no-peers', peers?.length === 0);
  show('no-mitigations', mitigations.mitigations.length === 0);
  show('no-events', events.events.length === 0);
  countDown(byId('mitigations'));
}

/** Shows the other POPs, if there is an exchange. */
function showExchange({ exchange, pops, requests }) {
  show('pops-section', exchange !== null);
  if (exchange === null) return;
  showPops(pops);
  setText(byId('pops-problem'), exchange.problem ?? '');
  show('pops-problem', exchange.problem !== null);
  const lines = unconfirmedLines(requests);
  byId('pop-requests').replaceChildren(...lines.map((line) => element('li', '', line)));
}

/** Shows the progress of a starting daemon, which responds to no other request; older data is grayed. */
function showStart(health) {
  setStale(true);
  show('sign-in', false);
  show('sign-out', hasToken());
  setText(byId('pop'), health.pop);
  setText(byId('status'), startText(health));
  byId('status').className = 'bad';
}

function showProblems(health) {
  const lines = health.reasons.map((reason) => reasonText(reason, serverNow()));
  byId('problems').replaceChildren(...lines.map((line) => element('li', '', line)));
}

/** Marks the shown data as out of date: grays it and stops the countdowns. */
function setStale(stale) {
  document.body.classList.toggle('stale', stale);
}

function failed(error) {
  if (error instanceof ApiError && error.status === 401) {
    const ended = hasToken() || currentCaller() !== null;
    signIn(ended ? error.message : '');
    return;
  }
  const why = error instanceof ApiError ? error.message : 'No response from prefixd';
  setStale(true);
  const last = lastReadAt === null ? '' : `; showing data from ${timeText(lastReadAt)}`;
  setText(byId('status'), `${why}${last}; retrying`);
  byId('status').className = 'bad';
  if (error instanceof ApiError && error.status === 403) show('sign-out', hasToken());
}

function signIn(why) {
  feed?.abort();
  lastEventId = null;
  byId('withdraw').close();
  // Leaves nothing for the next person at this browser.
  for (const showNone of [showPeers, showMitigations, showEvents]) showNone([]);
  byId('problems').replaceChildren();
  setText(byId('status'), 'Sign-in required');
  byId('status').className = '';
  askToSignIn(why);
}

/** Waits for the end of a burst, then refreshes. */
function settle() {
  if (settling) return;
  settling = true;
  setTimeout(() => {
    settling = false;
    refresh();
  }, SETTLE_MS);
}

/** Keeps the feed open; while it is closed, polling continues. */
async function followFeed() {
  for (;;) {
    if (!isAsking()) {
      feed = new AbortController();
      try {
        await follow(
          lastEventId,
          () => {
            live = true;
            settle();
          },
          (message) => {
            if (message.id !== undefined) lastEventId = message.id;
            settle();
          },
          feed.signal,
        );
      } catch {
        // The next poll, within POLL_MS, shows the error.
      }
      live = false;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

let withdrawing = null;

function openWithdraw(mitigation) {
  withdrawing = mitigation;
  setText(byId('withdraw-title'), `Withdraw the rule for ${mitigation.victim_ip}`);
  setText(byId('withdraw-rule'), mitigation.rule);
  setText(byId('withdraw-error'), '');
  const person = currentCaller()?.issuer ? currentCaller().name : null;
  byId('operator').value = person ?? sessionStorage.getItem(OPERATOR_KEY) ?? '';
  byId('operator').readOnly = person !== null;
  byId('reason').value = '';
  byId('withdraw').showModal();
  byId(byId('operator').value === '' ? 'operator' : 'reason').focus();
}

byId('withdraw-cancel').addEventListener('click', () => byId('withdraw').close());

byId('withdraw-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const operator = byId('operator').value.trim();
  const body = { operator_id: operator, reason: byId('reason').value.trim() };
  byId('withdraw-confirm').disabled = true;
  try {
    await command(`/v1/mitigations/${encodeURIComponent(withdrawing.mitigation_id)}/withdraw`, body);
    sessionStorage.setItem(OPERATOR_KEY, operator);
    byId('withdraw').close();
    refresh();
  } catch (error) {
    setText(byId('withdraw-error'), error instanceof ApiError ? error.message : 'No response from prefixd');
  } finally {
    byId('withdraw-confirm').disabled = false;
  }
});

connectForms(refresh, () => signIn(''));

setInterval(() => {
  if (!document.body.classList.contains('stale')) countDown(byId('mitigations'));
}, 1_000);
setInterval(() => {
  if (!isAsking() && !document.hidden) refresh();
}, POLL_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !isAsking()) refresh();
});
refresh();
followFeed();
