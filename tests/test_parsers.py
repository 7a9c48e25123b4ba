"""Every parser of foreign data has a property test: whatever it gets, it returns what it promises, or its own error.

A public function whose name begins like that of a parser stands in PROPERTIES with its test, or in COVERED with the
reason why it has none.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAME = re.compile(r"(?:parse|parsed|read|decode|decoded|detect|verify|peek|load)(?:_[a-z_]+)?")

PROPERTIES: dict[str, dict[str, tuple[str, ...]]] = {
    "gateway/accounts/test_callers.py": {
        "test_any_header_is_a_caller_or_401": ("gateway.accounts.callers",),
    },
    "gateway/api/routes/test_foreign_headers.py": {
        "test_any_headers_and_query_are_no_error_of_the_gateway": ("gateway.api.poll_endpoint:read_headers",),
    },
    "gateway/api/schemas/test_body_parser.py": {
        "test_any_field_names_are_an_object_or_an_error": ("gateway.api.schemas.body_parser:nest",),
    },
    "gateway/api/schemas/test_foreign_bodies.py": {
        "test_any_body_is_an_object_or_an_error_of_the_client": ("gateway.api.schemas.body_parser:read_object",),
        "test_any_object_is_a_request_or_an_error_of_the_client": (
            "gateway.api.schemas.requests:parse_reuse",
            "gateway.api.schemas.requests:parse_webhook_test",
        ),
    },
    "gateway/api/schemas/test_requests.py": {
        "test_any_object_is_a_request_or_an_error": ("gateway.api.schemas.requests:parse_generation",),
    },
    "gateway/api/test_forwarded.py": {
        "test_untrusted_part_of_the_list_has_no_effect": ("gateway.api.forwarded",),
    },
    "gateway/archive/test_records.py": {
        "test_any_field_value_gives_a_usable_record_or_none": ("gateway.archive.records:read_record",),
        "test_any_id_is_one_path_segment": ("gateway.archive.records",),
    },
    "gateway/cli/client/test_foreign_responses.py": {
        "test_any_event_is_a_task_or_the_end_of_the_stream": ("gateway.cli.client.event_stream:_read",),
        "test_any_response_is_tasks_or_an_error": ("gateway.cli.client.gateway_client:_read",),
        "test_any_header_of_a_file_is_read_or_ignored": ("gateway.cli.client.downloads:_content_range",),
    },
    "gateway/core/test_byte_ranges.py": {
        "test_any_header_gives_ranges_inside_the_file": ("gateway.core.byte_ranges:parse_range",),
    },
    "gateway/core/test_foreign_texts.py": {
        "test_any_content_length_is_a_length_or_none": ("gateway.core.byte_ranges:content_length",),
        "test_any_text_is_a_webhook_secret_or_not": ("gateway.core.webhook_secrets:is_secret",),
        "test_any_configuration_is_loaded_or_has_a_problem_in_one_line": (
            "gateway.core.settings_loader:load_settings",
        ),
    },
    "gateway/core/test_localization.py": {
        "test_any_header_gives_a_supported_language": ("gateway.core.localization:choose_language",),
    },
    "gateway/language/test_foreign_bodies.py": {
        "test_any_body_is_a_request_or_an_error_of_the_client": ("gateway.language.body:parse_body",),
    },
    "gateway/live/test_foreign_messages.py": {
        "test_any_message_is_read_or_an_error_of_the_client": ("gateway.live.websocket:_parsed",),
    },
    "gateway/media/test_foreign_files.py": {
        "test_any_checksum_header_is_a_checksum_or_none": ("gateway.archive.incoming:_decoded",),
        "test_any_bytes_are_a_file_of_the_kind_or_none": (
            "gateway.media.result_files:detect_type",
            "gateway.media.result_files:parse_type",
        ),
    },
    "gateway/media/test_intake.py": {
        "test_any_data_url_is_a_file_or_an_error": ("gateway.media.intake",),
    },
    "gateway/media/test_url_policy.py": {
        "test_any_text_is_a_normalized_url_or_refused": ("gateway.media.url_policy:check_url",),
    },
    "gateway/prompts/test_foreign_completions.py": {
        "test_any_answer_is_a_text_or_an_error": ("gateway.prompts.completion:read_completion",),
    },
    "gateway/task_ids/test_signed.py": {
        "test_any_text_is_an_id_or_none": (
            "gateway.task_ids.signed:verify",
            "gateway.task_ids.signed:peek",
        ),
    },
    "providers/dashscope/native/test_entrance.py": {
        "test_any_object_is_a_request_or_an_error_of_the_service": ("providers.dashscope.native.entrance",),
    },
    "providers/dashscope/test_foreign_answers.py": {
        "test_any_answer_is_an_error_with_texts": ("providers.dashscope.responses:submit_error",),
    },
    "providers/dashscope/test_tasks.py": {
        "test_no_body_ever_raises": ("providers.dashscope.tasks:parse",),
        "test_no_list_ever_raises": ("providers.dashscope.tasks:parse_page",),
        "test_no_row_ever_raises": ("providers.dashscope.tasks:parse_row",),
    },
    "providers/dashscope/test_upload_forms.py": {
        "test_anything_can_be_read_as_a_policy_or_not": ("providers.dashscope.uploads:parse_policy",),
        "test_anything_can_be_read_as_an_error": ("providers.dashscope.uploads:parse_error",),
    },
    "providers/jimeng/site/test_errors.py": {
        "test_any_data_makes_an_error": ("providers.jimeng.site.errors",),
    },
    "providers/jimeng/site/test_regions.py": {
        "test_any_text_is_an_account_or_none": ("providers.jimeng.site.regions",),
    },
    "providers/jimeng/site/test_session.py": {
        "test_whatever_a_cookie_holds_query_and_headers_stay_clean": ("providers.jimeng.site.session",),
    },
    "providers/jimeng/test_configuration.py": {
        "test_spoiled_configuration_gives_models_that_can_be_used_or_none": (
            "providers.jimeng.configuration:parse_configuration",
        ),
    },
    "providers/jimeng/test_credits.py": {
        "test_login_is_valid_only_with_a_user": ("providers.jimeng.credits:parse_alive",),
        "test_credits_are_non_negative_integers": ("providers.jimeng.credits:parse_credits",),
        "test_received_credits_are_a_non_negative_integer": ("providers.jimeng.credits:parse_received",),
    },
    "providers/jimeng/test_foreign_answers.py": {
        "test_any_page_and_row_of_the_history_is_read": (
            "providers.jimeng.history:parse_history",
            "providers.jimeng.history:parse_listed",
        ),
        "test_any_upload_answer_is_read_or_an_error": (
            "providers.jimeng.uploads.answers:parse_image_address",
            "providers.jimeng.uploads.answers:parse_media_address",
            "providers.jimeng.uploads.answers:parse_image",
            "providers.jimeng.uploads.answers:parse_media",
        ),
        "test_any_token_has_keys_for_a_header_or_is_an_error": ("providers.jimeng.uploads.answers:parse_token",),
        "test_any_reply_of_an_upload_is_a_result_or_an_error": ("providers.jimeng.uploads.answers:open_result",),
    },
    "providers/jimeng/test_history.py": {
        "test_no_shape_of_an_answer_is_an_exception": (
            "providers.jimeng.history:open_envelope",
            "providers.jimeng.history:parse_submit",
        ),
        "test_record_of_any_shape_is_a_state": ("providers.jimeng.history:parse_record",),
    },
    "providers/jimeng/test_results.py": {
        "test_no_shape_is_an_exception": ("providers.jimeng.results:choose",),
    },
    "providers/test_clip_heads.py": {
        "test_no_file_raises": ("providers.clip_heads",),
    },
    "providers/test_foreign_answers.py": {
        "test_any_error_of_modelscope_has_a_kind": ("providers.modelscope.errors:error_of",),
        "test_any_body_is_an_error_or_not": (
            "providers.openai_answers:error_in_answer",
            "providers.openai_answers:error_in_body",
            "providers.openai_answers:model_names",
        ),
        "test_end_of_an_event_is_found_in_whatever_pieces_it_comes": ("providers.openai_answers:ends_event",),
        "test_no_header_for_the_client_quotes_the_credential": ("providers.openai_answers:headers_for_client",),
    },
    "providers/test_json_text.py": {
        "test_replaced_text_differs_in_the_model_alone": ("providers.json_text:with_model",),
    },
    "providers/test_media_files.py": {
        "test_any_content_can_be_inspected": ("providers.media_files",),
    },
    "providers/test_sizes.py": {
        "test_any_size_snaps_to_one_of_the_model": ("providers.sizes:parse_size",),
    },
    "providers/transport/test_foreign_headers.py": {
        "test_any_retry_after_is_seconds_or_none": ("providers.transport.transports:read_retry_after",),
    },
    "providers/transport/test_proxy_urls.py": {
        "test_address_is_read_by_every_library_as_it_was_meant": ("providers.transport.proxy_urls",),
    },
}
"""File of tests → property test → what it is for: module and function, or a module as a whole."""

PARSERS = frozenset(parser for tests in PROPERTIES.values() for parsers in tests.values() for parser in parsers)

COVERED: dict[str, str] = {
    "gateway.accounts.callers:parse_key": "splits a text of the configuration, which load_settings has validated",
    "gateway.api.schemas.body_parser:read_body": "a part of read_object",
    "gateway.api.schemas.body_parser:read_json": "a part of read_object",
    "gateway.api.schemas.media_fields:read_inputs": "called by parse_generation for each of its fields",
    "gateway.cli.server.configuration:read_settings": "load_settings, with its error for the command line",
    "gateway.media.result_files:read_head": "collects bytes for detect_type",
    "gateway.web.assets:load_assets": "reads files of the package",
    "providers.on_demand:load": "imports a module of the package",
    "providers.jimeng.records:read_after_cancel": "one call of read_records",
    "providers.jimeng.records:read_records": "sends the query whose answer parse_record reads",
    "providers.sizes:read_size": "takes the numbers of parse_size",
}
"""Module and function → why it has no test of its own."""


def functions() -> Iterator[str]:
    """The functions of both packages whose names are those of parsers, without the sandbox."""
    for package in ("gateway", "providers"):
        for file in sorted((ROOT / package).rglob("*.py")):
            module = file.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            if module.startswith("providers.sandbox"):
                continue
            for node in ast.parse(file.read_text("utf-8")).body:
                if isinstance(node, _FUNCTIONS) and _NAME.fullmatch(node.name):
                    yield f"{module}:{node.name}"


def property_tests(file: Path) -> set[str]:
    """The names of the tests of a file that hypothesis runs."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, _FUNCTIONS)
        and any(isinstance(one, ast.Call) and getattr(one.func, "id", "") == "given" for one in node.decorator_list)
    }


def test_every_parser_has_a_property_test_or_a_reason() -> None:
    found = list(functions())
    assert [name for name in found if name not in PARSERS and name not in COVERED] == []
    assert COVERED.keys() <= set(found)
    assert not COVERED.keys() & PARSERS


@pytest.mark.parametrize("file", PROPERTIES)
def test_property_tests_and_their_parsers_exist(file: str) -> None:
    assert PROPERTIES[file].keys() <= property_tests(ROOT / "tests" / file)
    for parser in itertools.chain.from_iterable(PROPERTIES[file].values()):
        module, _, name = parser.partition(":")
        found = ast.walk(ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")))
        assert not name or name in {node.name for node in found if isinstance(node, _FUNCTIONS)}, parser
