-- Tokens: the right to a resource, bound to an epoch.

-- Of the resources that this node looks after.
CREATE TABLE topgun.token
(
	resource text COLLATE "C" PRIMARY KEY,
	holder int NOT NULL DEFAULT 0,
	token bigint NOT NULL DEFAULT 0
);
CREATE INDEX token_by_age ON topgun.token (token);
COMMENT ON TABLE topgun.token IS 'the last token of each resource that this node looks after, and the node that holds it; 0: none';
REVOKE ALL ON topgun.token FROM PUBLIC;
GRANT SELECT ON topgun.token TO pg_monitor;

CREATE SEQUENCE topgun.token_serial MAXVALUE 1099511627775 NO CYCLE;
COMMENT ON SEQUENCE topgun.token_serial IS 'what tells tokens of one epoch apart';
REVOKE ALL ON SEQUENCE topgun.token_serial FROM PUBLIC;

CREATE FUNCTION topgun.issue_token(resource text) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_issue_token';
COMMENT ON FUNCTION topgun.issue_token(text) IS
	'a token that gives this node the right to a resource in this epoch; greater than all before';
REVOKE ALL ON FUNCTION topgun.issue_token(text) FROM PUBLIC;

CREATE FUNCTION topgun.validate_token(resource text, token bigint) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_validate_token';
COMMENT ON FUNCTION topgun.validate_token(text, bigint) IS 'does the token still give the right to the resource?';
REVOKE ALL ON FUNCTION topgun.validate_token(text, bigint) FROM PUBLIC;

CREATE FUNCTION topgun.release_token(resource text, token bigint) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_release_token';
COMMENT ON FUNCTION topgun.release_token(text, bigint) IS 'give the right to a resource back; false if there was none';
REVOKE ALL ON FUNCTION topgun.release_token(text, bigint) FROM PUBLIC;

CREATE FUNCTION topgun_internal.token(asker bytea, action int, resource text, token bigint) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_token';
COMMENT ON FUNCTION topgun_internal.token(bytea, int, text, bigint) IS
	'for peers: issue, validate or release a token of a resource that we look after';
