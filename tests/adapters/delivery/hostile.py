"""Templates that must hurt nobody: what they do to a process that runs them, and what else must not be taken."""

LOOP = "{% for invoice in invoices %}"
END = "{% endfor %}"

HOSTILE = {
    # Numbers and texts that grow without end.
    "a power of a power": "{{ 9**(9**9) }}",
    "a power in a condition": "{% if 9**(9**9) %}x{% endif %}",
    "a division by nothing": "{{ 1/0 }}",
    "a remainder by nothing": "{{ 1 % 0 }}",
    "a text times a number": "{{ 'a'*400000000 }}",
    "a placeholder times a number": "{{ customer_name*400000000 }}",
    "a list times a number": "{{ [0]*10**9 }}",
    "a shift by way of powers": "{{ 2**1000000000 }}",
    "a negative number of what is due": "{{ -amount_due }}",
    "texts joined without end": "{{ customer_name ~ customer_name ~ customer_name }}",
    "a number of 5,000 digits": "{{ " + "9" * 5_000 + " }}",
    # Widths and formats.
    "a width in a format": '{{ "%999999999d" % 1 }}',
    "a width in the filter format": '{{ "%999999999d"|format(1) }}',
    "a width by the method format": '{{ "{:>999999999}".format(1) }}',
    "centred very widely": "{{ customer_name|center(10**9) }}",
    "indented very widely": "{{ customer_name|indent(10**9) }}",
    "padded by a method": "{{ customer_name.ljust(999999999) }}",
    "a day in a format of one's own": '{{ oldest_due_on|date("%999999999d") }}',
    "a day by strftime": '{{ oldest_due_on.strftime("%999999999d") }}',
    "an amount in a format of one's own": '{{ amount_due|amount("9" ) }}',
    "replaced by more": "{{ customer_name|replace('', 'aaaaaaaaaaaaaaaa')|replace('', 'aaaaaaaaaaaaaaaa') }}",
    "words of lorem ipsum": "{{ lipsum(n=100000) }}",
    # Repetition.
    "a long range": "{% for i in range(100000) %}{{ i }}{% endfor %}",
    "ranges in ranges": "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}"
    "{% endfor %}{% endfor %}{% endfor %}",
    "invoices in invoices": f"{LOOP}{{% for other in invoices %}}x{END}{END}",
    "invoices again and again": f"{LOOP}x{END}" * 400,
    "a loop over a text": "{% for letter in customer_name %}x{% endfor %}",
    "a loop that calls itself": "{% for invoice in invoices recursive %}{{ loop(invoices) }}{% endfor %}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "a call block": "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}x{% endcall %}",
    "a block that is its own": "{% block b %}{{ self.b() }}{% endblock %}",
    "a variable that grows": "{% set ns = namespace(x='a') %}" + LOOP + "{% set ns.x = ns.x ~ ns.x %}" + END,
    "a filter over a block": "{% filter upper %}{{ customer_name }}{% endfilter %}",
    # Out of the template.
    "the class of a text": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "the class of a placeholder": "{{ customer_name.__class__ }}",
    "the globals of a function": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "an attribute by a filter": "{{ customer_name|attr('__class__') }}",
    "an attribute by brackets": "{{ customer_name['__class__'] }}",
    "an attribute of the loop": LOOP + "{{ loop.__class__ }}" + END,
    "a field that no invoice has": LOOP + "{{ invoice.__init__ }}" + END,
    "a method of the list": "{{ invoices.append(1) }}",
    "a piece of a text": "{{ customer_name[::1] }}",
    "another file": "{% include '/etc/passwd' %}",
    "a parent": "{% extends 'base.html' %}",
    "an import": "{% import 'os' as os %}{{ os }}",
    "a dictionary": "{{ {'a': 1} }}",
    # Depth and size.
    "conditions in conditions": "{% if office %}" * 700 + "{% endif %}" * 700,
    "brackets in brackets": "{{ " + "(" * 9_000 + "1" + ")" * 9_000 + " }}",
    "not not not": "{{ " + "not " * 4_000 + "office }}",
    "a very long or": "{{ " + " or ".join(["office"] * 1_500) + " }}",
    "filters upon filters": "{{ office" + "|upper" * 3_000 + " }}",
    "choices without end": "{% if office %}a" + "{% elif office %}b" * 1_000 + "{% endif %}",
    "placeholders without end": "{{ office }}" * 1_600,
    # Texts that are none.
    "an unclosed placeholder": "Dear {{ customer_name",
    "an unclosed condition": "{% if office %}Dear",
    "an unclosed comment": "{# Dear",
    "an unclosed text": "{{ 'Dear }}",
    "an end without a beginning": "Dear {% endfor %}",
    "a name of other letters": "{{ имя }}",
    "a direction that turns": "{{ \N{RIGHT-TO-LEFT OVERRIDE}customer_name }}",
    "a NUL": "{{ \x00 }}",
    "a name that is not there": "{{ amount }}",
    "a placeholder as a name of the loop": "{% for office in invoices %}{{ office }}{% endfor %}",
    "amounts and texts compared": "{% if amount_due > '100' %}x{% endif %}",
    "a list as a text": "{{ invoices }}",
}
"""What it does, and the text; each short enough to be stored."""

TOO_LONG = {
    "a megabyte": "x" * 1_000_000,
    "a megabyte of conditions": "{% if office %}" * 60_000,
    "ten thousand conditions in conditions": "{% if office %}" * 10_000 + "{% endif %}" * 10_000,
}
"""More than a template may have."""
