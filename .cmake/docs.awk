# Turns a header into the form that Doxygen understands; Doxygen reads this instead.
# - The comment that opens a file is about the file.
# - A comment holds for all declarations below it, up to a blank line or the next comment.
# - //=== section ===// names a group of members.
# - message() is the comment of a code of errc. All other enumerators that have a line of their own want a comment.
# - There are no inline namespaces, nothing of detail, no private bases, and no definitions outside of their class.
function capital(text) { return toupper(substr(text, 1, 1)) substr(text, 2) }
function end_group() { if (in_group) print "/// @}"; in_group = 0 }
function forget() { comment = ""; is_new = 0 }
function complain(why) { print "/// @" why } # Doxygen has no such command, and warns
function read_messages(row, texts) {
    while ((getline row < FILENAME) > 0)
        if (row ~ /^ +[{]errc::/ && split(row, texts, "\"") == 5) messages[texts[2]] = texts[4]
}

FNR == 1 { read_messages() }
{ match($0, /^ */); indent = RLENGTH }

FNR == 1 && /^\/\// {
    in_opening = 1
    print "/// @file"
    if (/^\/\/ [a-z]+(::|<)[^ ]*: /) { sub(/\/\/ /, "&`"); sub(/: /, "`&") } # or Doxygen writes a name with a capital
}
in_opening { in_opening = sub(/^\/\/ ?/, "/// "); print; next }

/^namespace (core_)?detail / { if (in_detail) complain("open_detail"); in_detail = 1; next }
in_detail { in_detail = !/^} \/\/ namespace (core_)?detail$/; if (/^#/) print; next }
END { if (in_detail) complain("open_detail") }

in_definition { in_definition = !/^}|^[^ ].*[;}]$/; next }
/^(template|requires)/ && !/[;}{]$/ { before = before $0 "\n"; next }
before && /^ / { before = before $0 "\n"; next }
/^struct std::|^[a-z][^(]* ([a-z_]+(<[^(]*>)?::)+[a-z_]+\(/ {
    before = ""
    in_definition = !/[;}]$/
    forget()
    next
}

{ sub(/::inline v0/, ""); sub(/explicit\([^()]*\) /, "explicit "); sub(/ : private [a-z_:]+/, "") }

in_group && NF && indent < group { end_group() }
/^ +\/\/===.*===\/\/$/ {
    end_group()
    forget()
    gsub(/^ *\/\/=== *| *===\/\/$/, "")
    print "/// @name " capital($0) "\n/// @{"
    in_group = 1
    group = indent
    next
}

/^ *\/\/\// {
    if (/\/\/\/ ? ? ?[^ ]/) gsub(/%/, "\\%") # not in code
    in_table = /\/\/\/  ( )?[^ -]/ || in_table && /\/\/\/  /
    if (in_table) sub(/\/\/\//, "&  ") # Markdown wants four spaces
    if (!is_new) comment = ""
    comment = comment $0 "\n"
    is_new = 1
    level = indent
    print
    next
}
!NF || indent < level || /^ *\/\// && indent == level { forget() }
comment && indent == level && /^ *([A-Za-z_\[:]|#define)/ && !/^ *(public|private):$|= delete;$/ {
    if (!is_new && !is_template) {
        printf "%s", comment
        if (list) print FILENAME ": " $0 > list
    }
    is_template = /^ *template /
}
/^ *enum class .*[{]$/ { enumerators = indent + 4 }
/^ *}/ { enumerators = 0 }
enumerators && indent == enumerators && /^ *[a-z]/ && !(comment && indent == level) {
    enumerator = $1
    sub(/,/, "", enumerator)
    if (enumerator in messages) print "/// " capital(messages[enumerator]) "."
    else complain("undocumented_enumerator " enumerator)
}
NF { is_new = 0 }
{ printf "%s", before; before = ""; print }
