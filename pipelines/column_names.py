"""What people call their columns, for `bellwether init` to guess what they hold."""

# Without regard to case or to what stands between words; of one meaning the likeliest first.
COLUMN_NAMES = {
    "customer_id": """
        customerid customer customerno customernumber customerkey customercode custid custno
        clientid client clientno userid user memberid member householdid householdkey household
        buyerid buyer shopperid shopper subscriberid accountid account accountno personid
        contactid loyaltyid loyaltycard cardid cardnumber visitorid uid cid customeremail email
        kundennummer kundenid kundenr kunde clientenummer idclient codeclient
    """,
    "order_id": """
        orderid order orderno ordernumber ordernr invoiceno invoice invoiceid invoicenumber
        basketid basket basketkey transactionid transaction transactionno transid txnid txn
        receiptid receipt receiptno receiptnumber purchaseid saleid salesid salesorderid billid
        billno bill checkoutid cartid documentno bestellnummer bestellid rechnungsnummer
        commandeid
    """,
    "ordered_at": """
        orderedat orderdate ordertime orderdatetime ordertimestamp orderpurchasetimestamp
        invoicedate invoicetime invoicetimestamp invoicedatetime purchasedat purchasedate
        purchasetime purchasetimestamp transactiontimestamp transactiondatetime transactiondate
        transactiontime transdate txndate txntime saledate salesdate datetime timestamp paidat
        occurredat eventtime eventtimestamp createdat creationdate createddate created date
        time day bestelldatum rechnungsdatum datum
    """,
    "amount": """
        amount totalamount orderamount ordertotal ordervalue netamount total totalprice
        totalpaid totalvalue totalspent grandtotal linetotal lineamount linevalue subtotal
        revenue netrevenue salesvalue salesamount netsales sales spend spent gmv amountpaid
        paid payment paymentvalue transactionamount transactionvalue purchaseamount
        purchasevalue value turnover umsatz betrag montant
    """,
    "quantity": """
        quantity qty quantitysold units unitssold numitems itemcount items pieces menge
    """,
    "unit_price": """
        unitprice priceperunit priceeach itemprice sellingprice price einzelpreis
    """,
    "discount": """
        discount discountamount totaldiscount discountvalue retaildisc retaildiscount
        couponamount coupondisc discounttotal rabatt
    """,
    "channel": """
        channel saleschannel orderchannel channelid platform storeid store storename storecode
        shopid shop branch outlet filiale
    """,
    "status": """
        status orderstatus iscancellation iscancelled iscanceled cancelled canceled cancelflag
        isreturn isreturned returned returnflag isrefund isrefunded refunded transactionstatus
        paymentstatus
    """,
    "product_id": """
        productid product productcode productsku sku stockcode itemid item itemcode articleid
        article articleno articlenumber asin upc ean productname artikelnummer
    """,
    "category": """
        category productcategory categoryname categoryid categorycode department
        productdepartment producttype producttypename itemcategory productgroup subcategory
    """,
    "margin": """
        margin marginamount grossmargin contributionmargin profit grossprofit orderprofit
        deckungsbeitrag marge
    """,
    "currency": """
        currency currencycode ordercurrency transactioncurrency paymentcurrency währung waehrung
        devise
    """,
    "device": """
        device devicetype devicecategory
    """,
    "returns_order_id": """
        returnsorderid returnedorderid refundedorderid originalorderid originalorderno
        originalinvoice originalinvoiceno parentorderid originaltransactionid
    """,
}
