// Finds modules as Next.js does, for what TypeScript compiled of the application: without an extension, and from its root by "@/".
let root;

export function initialize(folder) {
  root = folder;
}

export async function resolve(specifier, context, next) {
  if (specifier.startsWith("@/")) return next(new URL(`${specifier.slice(2)}.js`, root).href, context);
  const bare = /^\.\.?\//.test(specifier) && !/\.m?js$/.test(specifier) && context.parentURL.startsWith(root);
  return next(bare ? `${specifier}.js` : specifier, context);
}
