"""Where streamkit says what it did: the standard logger, and nowhere else."""

import logging

from streamkit.logger import log


def test_a_record_reaches_the_standard_logger(caplog):
    """The message is for people; the fields stand in ``record.streamkit`` for machines."""
    with caplog.at_level(logging.INFO, "streamkit"):
        log.info("streaming failed", run="r1", code="stalled")

    (record,) = caplog.records
    assert ("streamkit", logging.INFO) == (record.name, record.levelno)
    assert "streaming failed run=r1 code=stalled" == record.getMessage()
    assert {"run": "r1", "code": "stalled"} == record.streamkit


def test_percent_signs_are_no_format(caplog):
    """What is logged is text, whatever it holds."""
    with caplog.at_level(logging.INFO, "streamkit"):
        log.info("100% %s", code="%d")

    assert "100% %s code=%d" == caplog.records[0].getMessage()


def test_a_record_below_the_level_is_not_made(caplog):
    """The standard level decides."""
    with caplog.at_level(logging.WARNING, "streamkit"):
        log.info("unheard")

    assert [] == caplog.records


def test_the_logger_is_silent_by_itself():
    """Only a null handler is installed: what is shown is the application's choice."""
    logger = logging.getLogger("streamkit")

    assert [logging.NullHandler] == [type(handler) for handler in logger.handlers]
    assert (logging.NOTSET, True) == (logger.level, logger.propagate)
