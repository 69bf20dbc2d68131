// The interactive description. It shows this site's own document whatever the address says, and keeps no token anywhere:
// one that is pasted into "Authorize" stays in Swagger UI's memory, and that of the session in js/session.js.
import { bearer, currentUser, resume } from "../js/session.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const spec = await (await fetch("../openapi.json")).json();

// The session's token goes to this site alone, and only where none was pasted.
async function authorize(request) {
  const address = new URL(request.url, location.href);
  if (currentUser() && address.origin === location.origin && !request.headers.Authorization) request.headers.Authorization = `Bearer ${await bearer()}`;
  return request;
}

const ui = globalThis.SwaggerUIBundle({
  spec,
  domNode: document.getElementById("api"),
  // Without the layout's bar there is no field for the address of another document; nor does one in the page's own address count.
  layout: "BaseLayout",
  queryConfigEnabled: false,
  persistAuthorization: false,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  tryItOutEnabled: true,
  requestInterceptor: authorize,
});

document.getElementById("use-session").addEventListener("click", async () => {
  const who = document.getElementById("who");
  try {
    const user = await resume();
    if (!user) {
      who.textContent = "You are not signed in.";
      return;
    }
    // Whose paths they are is filled in where one is tried.
    const mine = structuredClone(spec);
    mine.components.parameters.UserId.schema = { type: "string", default: user.id };
    ui.specActions.updateJsonSpec(mine);
    who.textContent = `As ${user.email}`;
  } catch (problem) {
    who.textContent = problem.message;
  }
});
