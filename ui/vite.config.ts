import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  // Tests need Svelte's client build; Node would pick the server one.
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  server: { port: 5173, strictPort: true },
  build: {
    target: "safari16",
    // The content security policy allows no data: fonts, so nothing may be inlined.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
  },
  test: {
    environment: "jsdom",
    setupFiles: ["./dev/test-setup.ts"],
    include: ["src/**/*.test.ts"],
    testTimeout: 20_000,
  },
}));
