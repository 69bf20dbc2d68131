// One keep-alive connection, and what came of a request on it: a whole answer, or a connection that was cut.
import http from "node:http";

const PATIENCE = 100_000; // longer than any web server here lets a request last

export class Connection {
  constructor(port, host = "127.0.0.1") {
    this.port = port;
    this.host = host;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  close() {
    this.agent.destroy();
  }

  // Resolves always, with { sent, answered, status, headers, body } or { sent, answered, cut, reused }. `cut` says how the
  // connection ended; `reused` that the request went out on one that had served before and nothing of an answer came: that
  // of a server which closes idle connections (RFC 9112 §9.5).
  ask({ method, path, headers = {}, body }) {
    const sent = performance.now();
    return new Promise((resolve) => {
      let answering = false;
      const request = http.request({ host: this.host, port: this.port, agent: this.agent, method, path, headers });
      const cut = (error) => resolve({ sent, answered: performance.now(), cut: error.code ?? error.message, reused: request.reusedSocket && !answering });
      request.setTimeout(PATIENCE, () => request.destroy(new Error("no answer")));
      request.on("error", cut);
      request.on("response", (response) => {
        const chunks = [];
        answering = true;
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", cut);
        response.on("end", () => resolve({
          sent, answered: performance.now(), status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks),
        }));
      });
      request.end(body);
    });
  }
}
