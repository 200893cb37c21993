// Reports attacks that sFlow-RT sees to prefixd; see sflow-rt.yaml. System properties: prefixd.url, prefixd.token, prefixd.pps.
var url = getSystemProperty('prefixd.url') || 'http://127.0.0.1:8080/v1/signals/webhook/sflow-rt';
var token = getSystemProperty('prefixd.token');
var threshold = Number(getSystemProperty('prefixd.pps') || 500000);

/** The last event of each attack, by threshold and flow. */
var attacks = {};

[['prefixd_udp', 17], ['prefixd_tcp', 6], ['prefixd_icmp', 1]].forEach(function (flow) {
  setFlow(flow[0], { keys: 'ipdestination,ipprotocol', value: 'frames', filter: 'ipprotocol=' + flow[1], t: 2 });
  setThreshold(flow[0], { metric: flow[0], value: threshold, byFlow: true, timeout: 10 });
});

function report(event, state) {
  var body = {
    state: state,
    key: event.thresholdID + '/' + event.flowKey,
    keys: event.flowKey.split(','),
    thresholdID: event.thresholdID,
    threshold: event.threshold,
    value: event.value,
    agent: event.agent,
    timestamp: event.timestamp,
  };
  try {
    http2({
      url: url,
      operation: 'post',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + token },
      body: JSON.stringify(body),
    });
  } catch (error) {
    logWarning('prefixd: ' + error);
  }
}

setEventHandler(function (event) {
  attacks[event.thresholdID + '/' + event.flowKey] = event;
  report(event, 'exceeded');
}, ['prefixd_udp', 'prefixd_tcp', 'prefixd_icmp']);

// Repeats what lasts and reports what has ended.
setIntervalHandler(function () {
  Object.keys(attacks).forEach(function (key) {
    var event = attacks[key];
    if (thresholdTriggered(event.thresholdID, event.agent, event.dataSource + '.' + event.metric, event.flowKey)) {
      report(event, 'exceeded');
      return;
    }
    delete attacks[key];
    report(event, 'ended');
  });
}, 30);
