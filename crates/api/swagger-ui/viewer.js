SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "none",
  persistAuthorization: false,
  tryItOutEnabled: true,
  // The default is a service on another host.
  validatorUrl: null,
});
