/** Parses Server-Sent Events (WHATWG HTML §9.2) as far as this page needs them: that something happened, and its id. */

/** Returns a function that takes text as it arrives and calls `onMessage` with each complete message. */
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
