// The description comes from this server, and nothing is asked of any other: no validator's badge.
window.addEventListener("DOMContentLoaded", () => {
  window.SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#api", validatorUrl: null, docExpansion: "list" });
});
