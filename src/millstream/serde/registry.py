"""Schema registries, through confluent-kafka's client: ids and schemas, each asked for once."""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import DeserializationError, RegistryError, TopologyError
from millstream.site import call_site

SchemaKind: TypeAlias = Literal["AVRO", "JSON", "PROTOBUF"]
# topic, whether it is for keys, the record's full name -> the subject
SubjectNames: TypeAlias = Callable[[str, bool, str], str]

SUBJECT_NAMES: Mapping[str, SubjectNames] = {
    "topic_name": lambda topic, is_key, _record: f"{topic}-{'key' if is_key else 'value'}",
    "record_name": lambda _topic, _is_key, record: record,
    "topic_record_name": lambda topic, _is_key, record: f"{topic}-{record}",
}
_UNKNOWN_FOR_S = 5.0  # how long an id that the registry does not know is not asked for again
_MOST_UNKNOWN = 1000


class Reference(NamedTuple):
    """A schema that another one refers to by a name."""

    name: str
    subject: str
    version: int


class RegisteredSchema(NamedTuple):
    """A schema as the registry has it; id 0 where it has none yet."""

    id: int
    kind: SchemaKind
    text: str
    references: tuple[Reference, ...] = ()


class SchemaRegistry:
    """A schema registry, of Confluent or one that speaks as it does. Give it to `AvroSerde` and its like.

    Schemas are registered under the subject that `subject_name_strategy` names: `"topic_name"` (the default:
    `<topic>-key` and `<topic>-value`), `"record_name"`, `"topic_record_name"`, or a function of (topic, is_key, record
    name). With `auto_register_schemas=False` they must be there already; with `use_latest_version` what is written is
    written with the schema that is the subject's latest at the first record; `normalize_schemas` lets the registry
    pass over differences without meaning. `config` holds further settings of confluent-kafka's
    `SchemaRegistryClient`, such as `basic.auth.user.info`.

    Each schema is asked for once, when the first record needs it. A registry that does not answer within `timeout`,
    after retries, stops the task; no record is skipped because of it. `mock://name` is a registry in memory, for tests.

    >>> SchemaRegistry("mock://docs").subject("orders", is_key=False, record="shop.Order")
    'orders-value'
    """

    def __init__(
        self,
        url: str,
        *,
        subject_name_strategy: Literal["topic_name", "record_name", "topic_record_name"] | SubjectNames = "topic_name",
        auto_register_schemas: bool = True,
        use_latest_version: bool = False,
        normalize_schemas: bool = False,
        timeout: Duration = "10s",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        site = call_site("SchemaRegistry")
        names = SUBJECT_NAMES.get(subject_name_strategy) if isinstance(subject_name_strategy, str) else None
        if names is None and not callable(subject_name_strategy):
            raise TopologyError(
                f"{site}: subject_name_strategy must be one of {', '.join(SUBJECT_NAMES)} or a function of (topic, "
                f"is_key, record name), got {subject_name_strategy!r}"
            )
        self.shown = _without_password(url)
        self.auto_register_schemas = auto_register_schemas
        self.use_latest_version = use_latest_version
        self.clock: Callable[[], float] = time.monotonic
        self._names: Any = names or subject_name_strategy
        self._normalized = {"normalize_schemas": normalize_schemas}
        self._unknown: dict[int, float] = {}
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient

            settings = {"url": url, "timeout": parse_duration_ms(timeout) / 1000, **(config or {})}
            self._client: Any = SchemaRegistryClient.new_client(settings)
            weakref.finalize(self, self._client.close)
        except ImportError as error:
            raise TopologyError(
                f"{site}: a schema registry needs {error.name}, which is not installed: "
                "pip install 'millstream[registry]'"
            ) from error
        except (ValueError, TypeError) as error:
            raise TopologyError(f"{site}: {error}") from error

    def subject(self, topic: str, *, is_key: bool, record: str) -> str:
        """Under which name a schema stands."""
        subject: str = self._names(topic, is_key, record)
        return subject

    def register(self, subject: str, schema: RegisteredSchema | None) -> RegisteredSchema:
        """What to write with: the latest schema of the subject, or the one given, registered or looked up."""
        if self.use_latest_version:
            latest = self._ask(f"the latest schema of {subject!r}", self._client.get_latest_version, subject)
            return _registered(latest.schema_id, latest.schema)
        if schema is None:
            raise RegistryError(
                f"there is no schema to write {subject!r} with; give the serde a type or a schema=, or "
                "the registry use_latest_version=True"
            )
        wanted = _of_the_client(schema)
        if self.auto_register_schemas:
            number = self._ask(
                f"to register a schema as {subject!r}",
                self._client.register_schema,
                subject,
                wanted,
                **self._normalized,
            )
        else:
            number = self._ask(
                f"for the schema of {subject!r}, which auto_register_schemas=False wants to be there",
                self._client.lookup_schema,
                subject,
                wanted,
                **self._normalized,
            ).schema_id
        return schema._replace(id=number)

    def version(self, subject: str, schema: RegisteredSchema) -> int:
        """The version of a registered schema under its subject."""
        lookup, wanted = self._client.lookup_schema, _of_the_client(schema)
        return int(self._ask(f"for {subject!r}", lookup, subject, wanted, **self._normalized).version)

    def schema(self, number: int, *, form: str | None = None) -> RegisteredSchema:
        """The schema with that id. Raises DeserializationError where the registry does not know it."""
        asked_again_at = self._unknown.get(number)
        if asked_again_at is not None and self.clock() < asked_again_at:
            raise self._not_known(number)
        found = self._ask(f"for the schema with id {number}", self._client.get_schema, number, fmt=form, absent=True)
        if found is None:
            if len(self._unknown) >= _MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[number] = self.clock() + _UNKNOWN_FOR_S
            raise self._not_known(number)
        return _registered(number, found)

    def referenced(self, schema: RegisteredSchema) -> dict[str, RegisteredSchema]:
        """All schemas that one refers to, directly or not, by their names; those that others need come first."""
        found: dict[str, RegisteredSchema] = {}
        for name, subject, version in schema.references:
            asked = self._ask(f"for version {version} of {subject!r}", self._client.get_version, subject, version)
            inner = _registered(asked.schema_id, asked.schema)
            found |= self.referenced(inner)
            found[name] = inner
        return found

    def _not_known(self, number: int) -> DeserializationError:
        return DeserializationError(
            f"the schema registry at {self.shown} knows no schema with the id {number}; was the record written with "
            "another registry, or without one?"
        )

    def _ask(self, what: str, ask: Callable[..., Any], *args: Any, absent: bool = False, **options: Any) -> Any:
        from confluent_kafka.schema_registry import SchemaRegistryError

        try:
            return ask(*args, **options)
        except SchemaRegistryError as error:
            if absent and error.http_status_code == 404:
                return None
            retriable = error.http_status_code in (408, 429) or error.http_status_code >= 500
            raise RegistryError(
                f"the schema registry at {self.shown}, asked {what}, answered: {error}", retriable=retriable
            ) from error
        except Exception as error:  # whatever the client's HTTP library raises
            raise RegistryError(
                f"the schema registry at {self.shown}, asked {what}, does not answer: {type(error).__name__}: {error}; "
                "is its address right, and does it run?",
                retriable=True,
            ) from error


def _of_the_client(schema: RegisteredSchema) -> Any:
    from confluent_kafka.schema_registry import Schema, SchemaReference

    return Schema(schema.text, schema.kind, [SchemaReference(*each) for each in schema.references])


def _without_password(url: str) -> str:
    """What messages may show.

    >>> _without_password("https://user:secret@registry:8081,https://other:8081")
    'https://registry:8081,https://other:8081'
    """
    return re.sub(r"(?<=://)[^/@,]*@", "", url)


def _registered(number: int, schema: Any) -> RegisteredSchema:
    references = tuple(Reference(each.name, each.subject, each.version) for each in schema.references or ())
    return RegisteredSchema(number, schema.schema_type or "AVRO", schema.schema_str, references)
