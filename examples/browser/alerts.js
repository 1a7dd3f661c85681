// An agent's alerts for a page: a connection that comes back by itself, and
// the list of alerts that stand. It draws nothing; agent.html does.

const RETRY_MS_FIRST = 200;
const RETRY_MS_MAX = 10_000;

/**
 * Listens to the alerts of one agent until the returned function is called.
 *
 * `onAlert` gets every alert once: after a break the connection goes on after
 * the last cursor it saw. `onStatus` gets "open", "closed" and what the server
 * says of itself ("gap", "degraded", …).
 */
export function listen({ server, agentId, onAlert, onStatus }) {
  let after = null;
  let pause = RETRY_MS_FIRST;
  let socket = null;
  let timer = null;
  let stopped = false;

  function connect() {
    const url = new URL(`/v1/agents/${encodeURIComponent(agentId)}/alerts`, server);
    url.protocol = url.protocol.replace("http", "ws");
    if (after !== null) {
      url.searchParams.set("after", after);
    }
    socket = new WebSocket(url);
    socket.onopen = () => {
      pause = RETRY_MS_FIRST;
      onStatus("open");
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      // Only alerts have a place to go on from; a status does not.
      after = message.cursor ?? after;
      if (message.type === "alert") {
        onAlert(message);
      } else if (message.type === "status") {
        onStatus(message.state, message.why);
      }
    };
    socket.onclose = () => {
      if (stopped) {
        return;
      }
      onStatus("closed");
      timer = setTimeout(connect, pause);
      pause = Math.min(pause * 2, RETRY_MS_MAX);
    };
  }

  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket.close();
  };
}

/** What the words for the states of an alert are. */
export const STATE_NAMES = {
  provisional: "疑似",
  confirmed: "确认",
  retracted: "撤回",
  reminder: "提醒",
  resolved: "已补",
};
