"""The public contract: a JSON Schema for every event version, OpenAPI, and the glossary; built and checked."""
