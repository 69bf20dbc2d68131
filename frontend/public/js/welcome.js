// Signing in and signing up.
import { $, say, show, showErrors } from "./dom.js";
import { signIn, signUp } from "./session.js";

const FIELD_OF = {
  INVALID_EMAIL: "email", USER_ALREADY_EXISTS: "email", USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "email",
  PASSWORD_TOO_SHORT: "password", PASSWORD_TOO_LONG: "password",
};
let isNew = false;
let entered = () => {};

function turn(toNew) {
  isNew = toNew;
  say($("welcome-title"), isNew ? "Create an account" : "Sign in");
  say($("sign-in-button"), isNew ? "Create account" : "Sign in");
  say($("switch-text"), isNew ? "Here before?" : "New here?");
  say($("switch"), isNew ? "Sign in" : "Create an account");
  show($("name-field"), isNew);
  show($("password-hint"), isNew);
  $("password").autocomplete = isNew ? "new-password" : "current-password";
  clear();
}

function clear() {
  showErrors($("sign-in"), {});
  say($("sign-in-error"), "");
}

// note  why the page asks, if there is more to say than that nobody is signed in
// on    called with the user who has signed in
export function welcome(note, on) {
  entered = on;
  $("password").value = "";
  clear();
  say($("welcome-note"), note);
  show($("welcome"), true);
  $("email").focus({ preventScroll: true });
}

function lacks({ name, email, password }) {
  const errors = {};
  if (isNew && !name.value.trim()) errors.name = "What may we call you?";
  if (!email.value.trim()) errors.email = "Your e-mail address is needed.";
  else if (!email.validity.valid) errors.email = "This is no e-mail address.";
  if (!password.value) errors.password = "A password is needed.";
  return errors;
}

$("switch").addEventListener("click", () => {
  turn(!isNew);
  $(isNew ? "name" : "email").focus();
});

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, fields = form.elements, errors = lacks(fields);
  clear();
  if (Object.keys(errors).length) return showErrors(form, errors);
  if (form.ariaBusy === "true") return undefined;
  form.ariaBusy = "true";
  try {
    const email = fields.email.value.trim(), password = fields.password.value;
    const user = isNew ? await signUp(fields.name.value.trim(), email, password) : await signIn(email, password);
    fields.password.value = "";
    show($("welcome"), false);
    turn(false);
    entered(user);
  } catch (problem) {
    const field = FIELD_OF[problem.code];
    if (field) showErrors(form, { [field]: problem.message });
    else say($("sign-in-error"), problem.message);
  } finally {
    form.ariaBusy = "false";
  }
  return undefined;
});
