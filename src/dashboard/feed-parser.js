/** Reads a stream of Server-Sent Events (WHATWG HTML §9.2) as far as this page needs it: that something happened, and its id. */

/** A parser that is given text as it comes and calls back with each complete message. */
export function createFeedParser(onMessage) {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = {};
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
      }
      if (message.id !== undefined || message.data !== undefined) onMessage(message);
    }
  };
}
