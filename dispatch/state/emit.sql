#variable_conflict use_column
DECLARE
    body   bytea;
    said   bytea;
    code   bytea;
    owner  bigint;
    fault  text;
BEGIN
    IF emit.action IS NULL OR emit.action COLLATE "C" !~ '^[A-Z][A-Z0-9_]{0,63}$' THEN
        fault := format('%s is no name of an action: use capital letters, digits and underscores, a letter first, at most 64 of them',
            coalesce(quote_literal(left(emit.action, 80)), 'NULL'));
    ELSIF emit.action IN ({reserved}) THEN
        fault := format('action %s is reserved: Label Studio or hooktail itself sends it', emit.action);
    ELSIF emit.payload IS NULL THEN
        fault := 'payload is NULL: pass a JSON value, such as {}';
    ELSIF emit.project IS NULL THEN
        fault := 'project is NULL: an event belongs to a project';
    ELSIF NOT EXISTS (SELECT FROM {project} p WHERE p.id = emit.project) THEN
        fault := format('project %s does not exist', emit.project);
    ELSE
        SELECT t.project_id INTO owner FROM {task} t WHERE t.id = emit.task;
        IF owner <> emit.project THEN
            fault := format('task %s belongs to project %s, not to project %s', emit.task, owner, emit.project);
        END IF;
        body := convert_to(emit.payload::text, 'UTF8');
        IF octet_length(body) > 1048576 THEN
            fault := format('payload has %s bytes, more than 1 MiB (1048576)', octet_length(body));
        END IF;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = {name} || ': ' || fault;
    END IF;
    said := convert_to(concat_ws(chr(10), pg_current_xact_id(), nextval({number}), emit.action, emit.project,
        coalesce(emit.task::text, ''), ''), 'UTF8') || body;
    SELECT sha256(s.outer_key || sha256(s.inner_key || convert_to(c.system_identifier || chr(10), 'UTF8') || said)) INTO code
        FROM {secret} s, pg_control_system() c;
    IF code IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = {name} || ': the secret is gone: run hooktail setup --custom-events';
    END IF;
    PERFORM pg_logical_emit_message(true, {prefix}, convert_to('1 ' || encode(code, 'hex') || chr(10), 'UTF8') || said);
END
