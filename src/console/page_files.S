/* Embeds the page: each file between NAME and NAME_end. The include path is src/console/page. */
.section .rodata
.global millrace_page_html, millrace_page_html_end, millrace_page_css, millrace_page_css_end
.global millrace_page_js, millrace_page_js_end
millrace_page_html: .incbin "index.html"
millrace_page_html_end: .byte 0
millrace_page_css: .incbin "page.css"
millrace_page_css_end: .byte 0
millrace_page_js: .incbin "page.js"
millrace_page_js_end: .byte 0
.section .note.GNU-stack,"",@progbits
