"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("swagger-ui");
  SwaggerUIBundle({
    domNode: root,
    url: root.dataset.schema,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    // A key must not outlive the page.
    persistAuthorization: false,
    // The key is in the header; the cookies of somebody who is signed in here are no part of the request.
    requestInterceptor: (request) => ({ ...request, credentials: "omit" }),
  });
});
