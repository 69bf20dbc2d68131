// What is left at the end, compared with what was acknowledged.
import { Violation } from "./model.mjs";

// A list of every user, and then every row there is, past the responders and row-level security: the number of rows.
export async function verify(clients, users, stack) {
  const rest = [...users];
  await Promise.all(clients.slice(0, 16).map(async (client) => {
    for (let user; (user = rest.pop());) await client.list(user, { plain: true });
  }));
  const expected = new Map();
  for (const user of users) for (const task of user.all()) if (task.alive) expected.set(`${user.id} ${task.id}`, task);
  const rows = await stack.query("SELECT json_build_object('user_id', user_id, 'id', id, 'title', title) FROM todo.task");
  for (const text of rows) {
    const row = JSON.parse(text);
    const task = expected.get(`${row.user_id} ${row.id}`);
    if (!task || task.states[0].title !== row.title) throw new Violation(`in the table, but acknowledged to nobody: ${text}`);
    expected.delete(`${row.user_id} ${row.id}`);
  }
  for (const task of expected.values()) task.fail("is not in the table");
  return rows.length;
}
