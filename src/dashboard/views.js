/** Defines the tables of neighbors, POPs, mitigations and events. */
import { serverNow } from './api.js';
import {
  actionText,
  attack,
  dateText,
  disabledText,
  duration,
  historyLines,
  lagText,
  mitigationStatus,
  peerKind,
  popState,
  timeText,
} from './format.js';
import { cell, element, keyedRows, setText } from './table.js';

export function peerTable(body) {
  return keyedRows(
    body,
    (peer) => peer.name,
    () => {
      const row = element('tr');
      const [name, state] = [cell('Name'), cell('Session')];
      const [up, rules, error] = [cell('Up', 'number'), cell('Rules', 'number'), cell('Last error')];
      const [title, address] = [element('strong'), element('div', 'quiet address')];
      name.append(title, address);
      row.append(name, state, up, rules, error);
      const show = (peer) => {
        setText(title, peer.name);
        setText(address, `${peer.address} AS ${peer.peer_asn}`);
        setText(state, peer.enabled ? peer.state : `${peer.state} (${disabledText(peer)})`);
        state.className = peerKind(peer);
        setText(up, peer.uptime_seconds === null ? '' : duration(peer.uptime_seconds * 1000));
        setText(
          rules,
          peer.rules_pending > 0
            ? `${peer.rules_sent} (${peer.rules_pending} pending)`
            : `${peer.rules_sent}`,
        );
        setText(error, peer.state === 'established' ? '' : (peer.hint ?? peer.last_error ?? ''));
      };
      return { row, show };
    },
  );
}

/**
 * Creates the table of mitigations. Calls `onWithdraw` with a mitigation when its button is pressed, and `readOne` to read one
 * with its history when its details are opened.
 */
export function mitigationTable(body, onWithdraw, readOne) {
  return keyedRows(
    body,
    (mitigation) => mitigation.mitigation_id,
    () => {
      const row = element('tr');
      const [victim, rule] = [cell('Victim'), cell('Rule')];
      const [status, ends, action] = [cell('Status'), cell('Expires in', 'number'), element('td')];
      const [address, owner] = [element('div', 'address'), element('div', 'quiet')];
      const [doing, text] = [element('div'), element('div', 'rule')];
      const details = element('details');
      const history = element('ul');
      const button = element('button', 'danger', 'Withdraw');
      let shown;
      let told = null;
      victim.append(address, owner);
      details.append(element('summary', '', 'History'), history);
      const tell = async () => {
        const { mitigation_id: id, updated_at: as } = shown;
        if (!details.open || told === as) return;
        told = as;
        const lines = await readOne(id).then(
          (one) => historyLines(one, dateText),
          (error) => {
            told = null;
            return [`Cannot read the history: ${error.message}`];
          },
        );
        // A newer request was sent meanwhile.
        if (told !== null && told !== as) return;
        history.replaceChildren(...lines.map((line) => element('li', '', line)));
      };
      details.addEventListener('toggle', tell);
      rule.append(doing, text, details);
      button.type = 'button';
      button.addEventListener('click', () => onWithdraw(shown));
      action.append(button);
      row.append(victim, rule, status, ends, action);
      const show = (mitigation) => {
        shown = mitigation;
        setText(address, mitigation.victim_ip);
        const service = mitigation.service_id === null ? '' : ` / ${mitigation.service_id}`;
        const from = mitigation.origin ? `, from POP ${mitigation.origin}` : '';
        setText(owner, `${mitigation.customer_id ?? 'no customer'}${service}, ${mitigation.vector}${from}`);
        setText(doing, actionText(mitigation));
        setText(text, mitigation.rule);
        tell();
        const { text: words, kind } = mitigationStatus(mitigation);
        setText(status, words);
        status.className = kind;
        ends.dataset.expires = String(Date.parse(mitigation.expires_at));
        button.disabled = mitigation.ending;
        button.setAttribute('aria-label', `Withdraw the rule for ${mitigation.victim_ip}`);
      };
      return { row, show };
    },
  );
}

/** Updates the time left in every cell with an expiry. */
export function countDown(body) {
  const now = serverNow();
  for (const node of body.querySelectorAll('[data-expires]')) {
    setText(node, duration(Number(node.dataset.expires) - now));
  }
}

export function eventTable(body) {
  return keyedRows(
    body,
    (event) => event.event_id,
    () => {
      const row = element('tr');
      const [received, source] = [cell('Received', 'number'), cell('Source')];
      const [victim, kind, answer] = [cell('Victim', 'address'), cell('Attack'), cell('Result')];
      row.append(received, source, victim, kind, answer);
      const show = (event) => {
        setText(received, timeText(event.received_at));
        setText(source, event.source);
        setText(victim, event.victim_ip);
        setText(kind, event.action === 'unban' ? `end of ${event.vector}` : attack(event));
        setText(answer, event.reason === null ? event.status : `${event.status}: ${event.reason}`);
        answer.className = event.status === 'rejected' ? 'warn' : '';
        row.title = event.why.join('\n');
      };
      return { row, show };
    },
  );
}

export function popTable(body) {
  return keyedRows(
    body,
    (pop) => pop.name,
    () => {
      const row = element('tr');
      const [name, state, lag] = [cell('Name'), cell('State'), cell('Lag', 'number')];
      const [sessions, active, imported] = [
        cell('Sessions', 'number'),
        cell('Active', 'number'),
        cell('Imported', 'number'),
      ];
      row.append(name, state, lag, sessions, active, imported);
      const show = (pop) => {
        const { text, kind } = popState(pop);
        setText(name, pop.self ? `${pop.name} (this POP)` : pop.name);
        setText(state, text);
        state.className = kind;
        setText(lag, lagText(pop));
        setText(sessions, pop.sessions_total === null ? '' : `${pop.sessions_up} of ${pop.sessions_total}`);
        setText(active, pop.active === null ? '' : String(pop.active));
        setText(imported, pop.self ? '' : String(pop.imported));
      };
      return { row, show };
    },
  );
}
